"""Telling the asker that a word is unknown, what is known, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import NoReturn

from gridlake.platform.errors import InvalidRequestError

SHOWN = 64
"""Characters of an unknown word that a message repeats."""
_LISTED = 50


def close_to(word: str, known: Iterable[str]) -> list[str]:
    """Up to three known words that are spelt like this one, best first."""
    by_key = {name.casefold(): name for name in known}
    return [
        by_key[key] for key in difflib.get_close_matches(word[:SHOWN].casefold(), by_key, n=3, cutoff=0.5)
    ]


def refuse_unknown(
    kind: str,
    word: object,
    known: Iterable[str],
    *,
    pointer: str,
    code: str | None = None,
    where: str = "",
    spoken: Mapping[str, str] | None = None,
) -> NoReturn:
    """Raise the error of an unknown word.

    Parameters
    ----------
    kind
        What it should have been: ``measure``.
    word
        What was written.
    known
        What could have been written.
    pointer
        JSON pointer of the word.
    where
        What has the known words, for the message.
    spoken
        Other spellings with the known word each means; also searched for close ones.

    Raises
    ------
    InvalidRequestError
        Always.
    """
    names = list(known)
    spellings = dict(spoken or {}) | {name: name for name in names}
    text = word if isinstance(word, str) else repr(word)
    close = list(dict.fromkeys(spellings[name] for name in close_to(text, spellings)))
    shown = text[:SHOWN] + ("…" if len(text) > SHOWN else "")
    hint: str | None = None
    if close:
        hint = f"did you mean {' or '.join(close)}?"
    elif names:
        hint = f"known: {', '.join(names[:_LISTED])}"
    owner = f"{where} has no" if where else "there is no"
    raise InvalidRequestError(
        f"{owner} {kind} {shown!r}",
        code=code,
        hint=hint,
        pointer=pointer,
        allowed=names[:_LISTED],
        suggestions=close,
    )
