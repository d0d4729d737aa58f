"""The end of every expectation: compare, and fail in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from harness.errors import ConfigError
from harness.expect.rows import Row, columns_of, compare
from harness.expect.stored import stored_rows
from harness.expect.words import in_words


def check(  # noqa: PLR0913 - keywords of one internal call
    name: str,
    expected: Iterable[Row] | None,
    found: Collection[Row],
    *,
    columns: Collection[str] | None = None,
    key: Sequence[str] = (),
    ignore: Collection[str] = (),
    unit: str = "row",
    show: int = 5,
) -> None:
    """Compare what was found with what is expected, or with what is stored.

    Args:
        name: what is compared, for the message and the file.
        expected: rows; None takes the stored ones.
        found: rows, all with the same columns.
        columns: those that the store has, also when it holds no row.
        key: columns that name a row.
        ignore: columns that are left out.
        unit: what a row is called.
        show: how many differences of each kind are written out.

    Raises:
        AssertionError: they differ.
        ConfigError: a column that is named is not there.
    """
    __tracebackhide__ = True
    there = [column for column in (columns_of(found) if columns is None else columns) if column not in ignore]
    actual = [{column: row.get(column) for column in there} for row in found]
    wanted = [dict(row) for row in (stored_rows(name, actual) if expected is None else expected)]
    named = columns_of(wanted)
    if there or columns is not None:
        unknown = [column for column in dict.fromkeys([*named, *key]) if column not in there]
        if unknown:
            raise ConfigError(f"{name} has no column {', '.join(unknown)}", hint=f"it has {', '.join(there)}")
    forgotten = [column for column in there if named and column not in named]
    if forgotten:
        raise ConfigError(
            f"{name}: nothing is expected of the column {', '.join(forgotten)}",
            hint="expect a value, or name it in `ignore`",
        )
    if difference := compare(wanted, actual, key):
        raise AssertionError(in_words(name, difference, unit, show))
