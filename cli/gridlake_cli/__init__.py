"""The `gridlake` command: a client of the Gridlake API, and the switch of the local platform."""

__version__ = "0.1.0"
