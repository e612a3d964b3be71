"""Names and tag values as line protocol writes them."""

from __future__ import annotations

import re

from gridlake.timeseries.errors import LineProtocolError

# Before these a backslash of the name itself would be read as the escape of what follows.
_ESCAPING = re.compile(r'\\(?=[,= "]|$)')


def escaped(text: str) -> str:
    """A tag key, tag value or field key."""
    return text.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


def escaped_name(name: str, what: str, *, equals: bool = True) -> str:
    """A measurement (`equals` is False: its equals sign stays), tag key or field key that must be writable.

    Raises
    ------
    LineProtocolError
        The name is empty, has a control character, or a backslash at its end or before a comma, equals sign, space or quote.
    """
    if not name:
        raise LineProtocolError(f"a {what} without a name")
    # A leading tab is skipped and a NUL can't be asked for: no control character belongs in a name.
    if any(ord(character) < ord(" ") for character in name):
        raise LineProtocolError(f"the name of {what} {name!r} has a control character")
    if _ESCAPING.search(name):
        raise LineProtocolError(
            f"the name of {what} {name!r} has a backslash at its end or before a comma, equals sign, space or quote"
        )
    return escaped(name) if equals else name.replace(",", "\\,").replace(" ", "\\ ")
