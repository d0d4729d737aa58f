"""A database that answers every statement with the same rows: as much of DB-API 2.0 (PEP 249) as operators use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


class Rows:
    """A connection, and its cursor, with one answer.

    Args:
        rows: sequences, or mappings whose keys are the columns.
        columns: their names; those of the first mapping, or `column_1` and so on, when None.
    """

    rowcount: int

    def __init__(self, rows: Sequence[Any], columns: Sequence[str] | None = None) -> None:
        first = rows[0] if rows else ()
        names = columns or (list(first) if isinstance(first, dict) else [f"column_{n + 1}" for n in range(len(first))])
        self.rows = [tuple(row.values()) if isinstance(row, dict) else row for row in rows]
        self.description = [(name, None, None, None, None, None, None) for name in names]
        self.rowcount = len(self.rows)
        self.statements: list[tuple[str, Any]] = []
        self._left: Iterator[Any] = iter(self.rows)

    def cursor(self) -> Rows:
        return self

    def execute(self, sql: str, parameters: Any = None) -> None:
        self.statements.append((sql, parameters))
        self._left = iter(self.rows)

    def fetchone(self) -> Any:
        return next(self._left, None)

    def fetchmany(self, size: int = 1) -> list[Any]:
        return [row for _, row in zip(range(size), self._left, strict=False)]

    def fetchall(self) -> list[Any]:
        return list(self._left)

    def __iter__(self) -> Iterator[Any]:
        return self._left

    def commit(self) -> None:
        """Do nothing: there is nothing to keep."""

    def rollback(self) -> None:
        """Do nothing: there is nothing to undo."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
