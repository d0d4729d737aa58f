"""What a failed expectation says: how many rows differ, and the first of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from harness.expect.rows import Change, Row, RowDiff

T = TypeVar("T")

#: characters of one value in a message
_LONGEST = 200


def in_words(name: str, diff: RowDiff, unit: str = "row", show: int = 5) -> str:
    """Return a message: one line of counts, then the first rows of each kind of difference.

    Args:
        name: what was compared.
        diff: a difference that is not empty.
        unit: what a row is called: `row`, `object`, `message`.
        show: how many of each kind are written out.
    """
    counts = [
        f"{len(rows)} {what}"
        for what, rows in (
            ("missing", diff.missing),
            ("unexpected", diff.unexpected),
            ("changed", diff.changed),
            ("repeated", diff.repeated),
        )
        if rows
    ]
    head = f"{name}: {', '.join(counts)}; found {diff.found} {unit}{'' if diff.found == 1 else 's'}"
    lines = [
        *_some("missing", map(row_text, diff.missing), len(diff.missing), show),
        *_some("unexpected", map(row_text, diff.unexpected), len(diff.unexpected), show),
        *_some("changed", map(_change_text, diff.changed), len(diff.changed), show),
        *_some("repeated", map(row_text, diff.repeated), len(diff.repeated), show),
    ]
    return "\n".join([f"{head}, expected {diff.expected}", *lines])


def row_text(row: Row) -> str:
    """Return `order_id=7, revenue=12.00`."""
    return ", ".join(f"{name}={value_text(value)}" for name, value in row.items())


def value_text(value: Any) -> str:
    """Return a value as short as it can be told: dates and decimals as they are written, texts quoted."""
    if isinstance(value, Decimal | date | datetime | time | UUID):
        return str(value)
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"


def _change_text(change: Change) -> str:
    cells = "; ".join(
        f"{name} is {value_text(found)}, expected {value_text(expected)}"
        for name, (found, expected) in change.cells.items()
    )
    return f"{row_text(change.key)}: {cells}"


def _some(label: str, texts: Iterable[str], total: int, show: int) -> Iterator[str]:
    for text in first(texts, show):
        yield f"  {label:<10}  {text}"
    if total > show:
        yield f"  {label:<10}  ... and {total - show} more"


def first(items: Iterable[T], count: int) -> Sequence[T]:
    """Return the first items."""
    return [item for _, item in zip(range(count), items, strict=False)]
