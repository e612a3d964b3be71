"""Values of tags: members by code, label or spelling, and totals of other members, which must not be counted twice."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from gridlake.contracts.model import Column, Contract, Member
from gridlake.contracts.text import header_key, value_key
from gridlake.platform.errors import InvalidRequestError
from gridlake.questions.ir import TagFilter
from gridlake.questions.words import refuse_unknown

MAX_VALUES = 200
MAX_VALUE_CHARACTERS = 256


def read_filters(asked: object, contract: Contract) -> tuple[TagFilter, ...]:
    """Checked filters from ``{tag: value or [values]}``.

    Raises
    ------
    InvalidRequestError
        A tag is unknown, a value is no text, or no member of a tag whose members are all known.
    """
    if asked is None:
        return ()
    if not isinstance(asked, Mapping):
        raise InvalidRequestError("filters must be an object of values by tag", pointer="/filters")
    found: dict[str, TagFilter] = {}
    for name, values in asked.items():
        pointer = f"/filters/{str(name)[:64]}"
        tag = find_tag(str(name), contract.tags)
        if tag is None:
            refuse_unknown(
                "tag",
                name,
                [known.name for known in contract.tags],
                pointer=pointer,
                code="unknown_tag",
                where=contract.dataset,
            )
        if tag.name in found:
            raise InvalidRequestError(
                f"{tag.name} is filtered twice", pointer=pointer, hint="put all values in a list"
            )
        wanted = values if isinstance(values, list) else [values]
        if not 1 <= len(wanted) <= MAX_VALUES:
            raise InvalidRequestError(f"a filter takes 1 to {MAX_VALUES} values", pointer=pointer)
        codes = dict.fromkeys(member_code(value, tag, pointer=pointer) for value in wanted)
        found[tag.name] = TagFilter(tag.name, tuple(codes))
    return tuple(found.values())


def find_tag(name: str, tags: Iterable[Column]) -> Column | None:
    """A tag by its own name or the publisher's, without case."""
    key = header_key(name)
    tags = tuple(tags)
    own = next((tag for tag in tags if header_key(tag.name) == key), None)
    return own or next(
        (tag for tag in tags if key in {header_key(known) for known in (tag.source or "", *tag.aliases)}),
        None,
    )


def member_code(value: object, tag: Column, *, pointer: str) -> str:
    """The value as the series have it: the code of the member that a code, label, spelling or synonym means.

    Raises
    ------
    InvalidRequestError
        It is no text, holds control characters, or is no member of a closed tag.
    """
    if not isinstance(value, str) or not value or len(value) > MAX_VALUE_CHARACTERS:
        raise InvalidRequestError(
            f"a value of {tag.name} must be a text of 1 to {MAX_VALUE_CHARACTERS} characters", pointer=pointer
        )
    if any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in value):
        raise InvalidRequestError(f"a value of {tag.name} holds a control character", pointer=pointer)
    for member in tag.members:
        if value == member.code:
            return member.code
    spellings = {value_key(word): member.code for member in reversed(tag.members) for word in _words(member)}
    code = spellings.get(value_key(value))
    if code is not None:
        return code
    if tag.closed:
        refuse_unknown(
            f"{tag.name}",
            value,
            [member.code for member in tag.members],
            pointer=pointer,
            spoken={word: member.code for member in tag.members for word in _words(member)},
        )
    return value


def answer_from_parts(
    filters: Iterable[TagFilter], contract: Contract
) -> tuple[tuple[TagFilter, ...], frozenset[str], tuple[str, ...]]:
    """Filters in which a total that no file has rows of (``SIN`` of a dataset by subsystem) became its parts.

    Returns
    -------
    tuple
        The filters, the tags whose parts stand for a total, and a notice of each.

    Raises
    ------
    InvalidRequestError
        Such a total is asked for beside other values.
    """
    found, tags, notices = [], set(), []
    for entry in filters:
        totals = {
            member.code: member.aggregates
            for member in contract.column(entry.tag).members
            if member.aggregates and not member.published
        }
        total = next((value for value in entry.values if value in totals), None)
        if total is None:
            found.append(entry)
            continue
        parts = totals[total]
        if len(entry.values) > 1:
            raise InvalidRequestError(
                f"{contract.dataset} has no rows of {total}: it is computed from {', '.join(parts)}, and only alone",
                code="double_counting",
                pointer=f"/filters/{entry.tag}",
                hint=f"ask for {total} in a question of its own",
            )
        found.append(TagFilter(entry.tag, parts))
        tags.add(entry.tag)
        notices.append(f"{total} is not published here: answered from {', '.join(parts)}")
    return tuple(found), frozenset(tags), tuple(notices)


def leave_totals_out(
    filters: Iterable[TagFilter], merged: Iterable[Column]
) -> tuple[tuple[TagFilter, ...], tuple[str, ...]]:
    """Filters that keep totals (``SIN``) from being merged with what they are the total of, and a notice of each.

    Parameters
    ----------
    filters
        What the asker filters by.
    merged
        Tags whose members are merged.

    Raises
    ------
    InvalidRequestError
        The asker wants a total merged with its own parts, which would count them twice.
    """
    asked = {entry.tag: set(entry.values) for entry in filters}
    added, notices = [], []
    for tag in merged:
        totals = [member for member in tag.members if member.aggregates and member.published]
        if tag.name in asked:
            _refuse_double_counting(tag, totals, asked[tag.name])
        elif totals:
            codes = tuple(member.code for member in totals)
            added.append(TagFilter(tag.name, codes, exclude=True))
            notices.append(f"{', '.join(codes)} left out of {tag.name}: it is the total of other members")
    return tuple(added), tuple(notices)


def _refuse_double_counting(tag: Column, totals: Iterable[Member], values: set[str]) -> None:
    for total in totals:
        parts = values.intersection(total.aggregates)
        if total.code in values and parts:
            raise InvalidRequestError(
                f"{total.code} is the total of {', '.join(total.aggregates)}: merging it with "
                f"{', '.join(sorted(parts))} would count them twice",
                code="double_counting",
                pointer=f"/filters/{tag.name}",
                hint=f"filter by {total.code} alone, by its parts alone, or put {tag.name} in group_by",
            )


def _words(member: Member) -> tuple[str, ...]:
    spoken = (word for words in member.synonyms.values() for word in words)
    return (member.code, *member.spellings, *member.labels.values(), *spoken)
