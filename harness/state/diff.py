"""How two snapshots differ, as data and as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.models.snapshot import Dataset, Difference, Kind
from harness.models.words import count as count  # noqa: PLC0414 - known by this place too
from harness.state.snapshot import Snapshot

_UNITS: Mapping[Kind, str] = {
    "table": "row",
    "delta": "row",
    "topic": "message",
    "object": "byte",
    "partition": "row",
    "call": "call",
}


def diff(before: Snapshot, after: Snapshot) -> list[Difference]:
    """Compare two snapshots; what is equal is not mentioned."""
    old = {(one.service, one.name): one for one in before}
    new = {(one.service, one.name): one for one in after}
    found = (_compare(old.get(key), new.get(key)) for key in sorted(old.keys() | new.keys()))
    return [difference for difference in found if difference is not None]


def _compare(old: Dataset | None, new: Dataset | None) -> Difference | None:
    known = new or old
    assert known is not None
    added = _surplus(new, old)
    removed = _surplus(old, new)
    columns = _column_changes(old, new) if old and new else ""
    if old and new and not added and not removed and not columns:
        return None
    change = "changed" if old and new else "added" if new else "removed"
    return Difference.model_validate(
        {
            "service": known.service,
            "name": known.name,
            "kind": known.kind,
            "change": change,
            "rows_before": old.rows if old else 0,
            "rows_after": new.rows if new else 0,
            "added": sum(added.values()),
            "removed": sum(removed.values()),
            "first_added": _first(added, new),
            "first_removed": _first(removed, old),
            "detail": columns,
        }
    )


def holds_data(difference: Difference) -> bool:
    """Tell whether a difference is more than that an empty dataset is there now, or no longer."""
    return difference.change == "changed" or bool(difference.added or difference.removed)


def _surplus(of: Dataset | None, over: Dataset | None) -> dict[str, int]:
    """Return the rows that one has more often than the other: the difference of two multisets."""
    mine = of.digests if of else {}
    theirs = over.digests if over else {}
    return {digest: count - theirs.get(digest, 0) for digest, count in mine.items() if count > theirs.get(digest, 0)}


def _first(surplus: Mapping[str, int], dataset: Dataset | None) -> dict[str, Any] | None:
    if dataset is None:
        return None
    return next((dataset.sample[digest] for digest in sorted(surplus) if digest in dataset.sample), None)


def _column_changes(old: Dataset, new: Dataset) -> str:
    gone = [name for name in old.columns if name not in new.columns]
    come = [name for name in new.columns if name not in old.columns]
    retyped = [
        f"{name} {old.columns[name]} -> {new.columns[name]}"
        for name in old.columns
        if name in new.columns and old.columns[name] != new.columns[name]
    ]
    parts = [
        *([f"columns gone: {', '.join(gone)}"] if gone else []),
        *([f"columns new: {', '.join(come)}"] if come else []),
        *([f"columns retyped: {', '.join(retyped)}"] if retyped else []),
    ]
    return "; ".join(parts)


def in_words(difference: Difference) -> str:
    """Return one sentence: `warehouse.public.daily_revenue: 3 rows added, 1 removed; first: {...}`."""
    unit = _UNITS[difference.kind]
    if difference.kind == "object":
        return f"{difference.name}: {_object_words(difference)}"
    parts = []
    if difference.change != "changed":
        parts.append("new" if difference.change == "added" else "gone")
    if difference.added:
        parts.append(f"{count(difference.added, unit)} added")
    if difference.removed:
        # the unit is said once: "3 rows added, 1 removed"
        parts.append(
            f"{difference.removed} removed" if difference.added else f"{count(difference.removed, unit)} removed"
        )
    if not difference.added and not difference.removed and difference.change != "changed":
        parts.append("empty")
    sentence = f"{difference.name}: {', '.join(parts)}" if parts else f"{difference.name}:"
    first = difference.first_added or difference.first_removed
    extras = [difference.detail, f"first: {first}" if first else ""]
    return "; ".join([sentence, *filter(None, extras)]).replace(":; ", ": ")


def _object_words(difference: Difference) -> str:
    if difference.change == "changed":
        return f"content changed, {difference.rows_before} -> {count(difference.rows_after, 'byte')}"
    size = max(difference.rows_before, difference.rows_after)
    return f"{'new' if difference.change == 'added' else 'gone'}, {count(size, 'byte')}"


def describe(differences: Iterable[Difference]) -> str:
    """Return one line for each difference, or `nothing changed`."""
    return "\n".join(in_words(one) for one in differences) or "nothing changed"
