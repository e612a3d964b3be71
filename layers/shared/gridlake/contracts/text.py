"""How published words are compared: the same for recognition, validation and questions."""

from __future__ import annotations

import unicodedata

EPOCH_FORMATS = {
    "epoch seconds": 1,
    "epoch milliseconds": 1_000,
    "epoch microseconds": 1_000_000,
    "epoch nanoseconds": 1_000_000_000,
}
"""Time formats beside those of `strptime`: counts since 1970-01-01 UTC, with what one second is."""


def header_key(name: str) -> str:
    """A column name without case, accents, byte-order mark, outer and repeated spaces.

    Publishers change these between files of one dataset (``Pumped  Storage``, ``ND``/``nd``), never their meaning.
    """
    return value_key(name.lstrip("\ufeff"))


def value_key(value: str) -> str:
    """A coded value without case, accents, outer and repeated spaces: ``" Ceará "`` equals ``"CEARA"``."""
    decomposed = unicodedata.normalize("NFKD", value)
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(plain.split()).casefold()
