"""What the REST API answers: one module per resource, called by the thin handlers under ``functions/api_*``.

The top floor of the package: it may import all others, none imports it.
"""
