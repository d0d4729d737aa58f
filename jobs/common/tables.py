"""Writing to Postgres so that a second time changes nothing: a part of a table is replaced in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """A table of the schema `public`.

    Args:
        name: without the schema.
        columns: those that a writer's rows have, in their order.
        create: `CREATE TABLE IF NOT EXISTS ...`.
    """

    name: str
    columns: tuple[str, ...]
    create: str


def replace_rows(connection: Any, table: Table, part: Mapping[str, Any], rows: Iterable[Sequence[Any]]) -> int:
    """Put rows in the place of what a part of a table holds; whoever reads sees the old part or the new one.

    Args:
        connection: of psycopg, in a transaction; all that is replaced before its end becomes visible at once.
        table: made when it is missing.
        part: which rows are replaced: column to value. The new rows get these values beside their own.
        rows: the new content.

    Returns:
        How many rows the part has now.
    """
    from psycopg import sql

    at = sql.Identifier("public", table.name)
    same = sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in part)
    columns = [*part, *table.columns]
    insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        at, sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(", ").join(sql.Placeholder() * len(columns))
    )
    new = [(*part.values(), *row) for row in rows]
    make_table(connection, table.create)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DELETE FROM {} WHERE {}").format(at, same), tuple(part.values()))
        cursor.executemany(insert, new)
    return len(new)


def make_table(connection: Any, create: str) -> None:
    """Run `CREATE TABLE IF NOT EXISTS`, one at a time: two at once can both find no table, and one then fails."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('CREATE TABLE'))")
    connection.execute(create)
