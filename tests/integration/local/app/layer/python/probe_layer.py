"""What only the layer has."""

NAME = "layer"


class TransientError(Exception):
    """Trying again may help."""


class QualityError(Exception):
    """Trying again does not help."""
