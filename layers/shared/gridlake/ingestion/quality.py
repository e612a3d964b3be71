"""Rules that a row meets or breaks by itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gridlake.contracts.model import Contract, Rule, Severity
from gridlake.ingestion.rows import Message, Rows
from gridlake.ingestion.zones import Mask


def check(rows: Rows, contract: Contract) -> None:
    """Apply the contract's row rules: errors mark rows for quarantine, warnings are counted."""
    for rule in contract.rules:
        found = _CHECKS.get(rule.kind)
        if found is None:
            continue
        mask, reason, message = found(rows, rule)
        broken = mask & (rows.fault == 0)
        count = int(broken.sum())
        if not count:
            continue
        rows.broken[rule.id] = rows.broken.get(rule.id, 0) + count
        if rule.severity is Severity.ERROR:
            rows.fail(broken, reason, rule.id, message)
        else:
            rows.warned[rule.id] = rows.warned.get(rule.id, 0) + count


def _null(rows: Rows, name: str) -> Mask:
    if name in rows.fields:
        return np.isnan(rows.fields[name])
    if name in rows.tags:
        return rows.tags[name][0] < 0
    if name in rows.attributes:
        return np.asarray(pc.is_null(rows.attributes[name]))
    return np.zeros(rows.count, np.bool_)


def _not_null(rows: Rows, rule: Rule) -> tuple[Mask, str, Message]:
    masks = {name: _null(rows, name) for name in rule.columns}
    return _any(rows, list(masks.values())), "missing_value", lambda i: f"{_first(masks, i)} has no value"


def _range(rows: Rows, rule: Rule) -> tuple[Mask, str, Message]:
    low, high = rule.params.get("min"), rule.params.get("max")
    masks: dict[str, Mask] = {}
    for name in rule.columns:
        values = rows.fields.get(name)
        if values is None and name in rows.attributes and pa.types.is_floating(rows.attributes[name].type):
            values = np.asarray(pc.fill_null(rows.attributes[name], np.nan))
        if values is None:
            continue
        with np.errstate(invalid="ignore"):
            outside = np.zeros(rows.count, np.bool_)
            if low is not None:
                outside |= values < low
            if high is not None:
                outside |= values > high
        masks[name] = outside

    def message(i: int) -> str:
        name = _first(masks, i)
        value = rows.fields[name][i] if name in rows.fields else rows.attributes[name][i].as_py()
        bounds = f"from {'-∞' if low is None else low} to {'∞' if high is None else high}"
        return f"{name} is {value:.10g}, outside {bounds}"

    return _any(rows, list(masks.values())), "out_of_range", message


def _accepted(rows: Rows, rule: Rule) -> tuple[Mask, str, Message]:
    values = list(rule.params.get("values", ()))
    texts = {str(v) for v in values}
    numbers = [float(v) for v in values if isinstance(v, int | float)]
    masks: dict[str, Mask] = {}
    for name in rule.columns:
        if name in rows.tags:
            codes, words = rows.tags[name]
            bad = np.array([w not in texts for w in words] + [False], np.bool_)
            masks[name] = bad[codes]
        elif name in rows.fields:
            given = rows.fields[name]
            masks[name] = ~np.isnan(given) & ~np.isin(given, numbers)
        elif name in rows.attributes:
            column = pc.cast(rows.attributes[name], pa.string())
            masks[name] = ~np.asarray(
                pc.or_(pc.is_in(column, value_set=pa.array(sorted(texts))), pc.is_null(column))
            )
    return (
        _any(rows, list(masks.values())),
        "unknown_code",
        lambda i: f"{_first(masks, i)} has a value not accepted",
    )


def _identity(rows: Rows, rule: Rule) -> tuple[Mask, str, Message]:
    terms: dict[str, float] = dict(rule.params.get("terms", {}))
    tolerance = float(rule.params.get("tolerance", 0.0))
    if any(name not in rows.fields for name in terms):
        return np.zeros(rows.count, np.bool_), "identity_violated", lambda _: ""
    total = np.zeros(rows.count, np.float64)
    for name, coefficient in terms.items():
        total += coefficient * rows.fields[name]
    with np.errstate(invalid="ignore"):
        mask = np.abs(total) > tolerance * (1 + 1e-9)
    formula = " ".join(
        f"{'+' if c > 0 else '-'} {'' if abs(c) == 1 else f'{abs(c):g} '}{n}" for n, c in terms.items()
    )
    return (
        mask,
        "identity_violated",
        lambda i: f"{formula.lstrip('+ ')} is {total[i]:.6g}, not 0 within {tolerance:g}",
    )


def _any(rows: Rows, masks: list[Mask]) -> Mask:
    found = np.zeros(rows.count, np.bool_)
    for mask in masks:
        found |= mask
    return found


def _first(masks: dict[str, Mask], row: int) -> str:
    return next(name for name, mask in masks.items() if mask[row])


_CHECKS: dict[str, Callable[[Rows, Rule], tuple[Mask, str, Message]]] = {
    "not_null": _not_null,
    "range": _range,
    "accepted": _accepted,
    "identity": _identity,
}
