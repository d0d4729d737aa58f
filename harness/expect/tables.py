"""`expect_table`: what a Postgres table or a Delta table must hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from harness.errors import ConfigError
from harness.expect.check import check
from harness.expect.rows import Row
from harness.services.base import Service
from harness.services.postgres import Postgres
from harness.services.s3 import S3

_PRIMARY_KEY = """
SELECT a.attname FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
WHERE i.indisprimary AND i.indrelid = to_regclass(%s) ORDER BY array_position(i.indkey::int2[], a.attnum)
"""


def expect_table(  # noqa: PLR0913 - keywords with defaults
    store: Service[Any],
    name: str,
    rows: Iterable[Row | Sequence[Any]] | None = None,
    *,
    columns: Sequence[str] | None = None,
    key: str | Sequence[str] | None = None,
    ignore: Collection[str] = (),
    show: int = 5,
) -> None:
    """Assert that a table holds exactly these rows; their order does not matter, and how often each occurs does.

    Args:
        store: `postgres` for a table of its databases, `s3` for a Delta table.
        name: `warehouse.public.orders`, `orders` (first database, schema public), or `bucket/folder` for Delta.
        rows: mappings, or sequences of values for `columns`. None compares with the file that
            `--update-expectations` wrote.
        columns: read and compare these alone; their order is that of the values. By default all columns.
        key: columns that name a row, so that a difference is told cell by cell. By default the primary key.
        ignore: columns to leave out, such as an audit column.
        show: how many differences of each kind are written out.

    Raises:
        AssertionError: the table is not there, or holds something else.
        ConfigError: a column or a database that is named does not exist.
    """
    __tracebackhide__ = True
    table = _of_postgres(store, name) if isinstance(store, Postgres) else _of_delta(store, name)
    there, found, own_key = table
    kept = list(columns) if columns is not None else [column for column in there if column not in ignore]
    unknown = [column for column in kept if column not in there]
    if unknown:
        raise ConfigError(f"{name} has no column {', '.join(unknown)}", hint=f"it has {', '.join(there)}")
    wanted = None if rows is None else [_named(row, kept, name) for row in rows]
    names = [key] if isinstance(key, str) else list(own_key if key is None else key)
    check(
        name,
        wanted,
        [{column: row[column] for column in kept} for row in found],
        columns=kept,
        key=names if set(names) <= set(kept) or key is not None else (),
        show=show,
    )


def _named(row: Row | Sequence[Any], columns: Sequence[str], name: str) -> dict[str, Any]:
    if isinstance(row, Mapping):
        return dict(row)
    if len(row) != len(columns):
        raise ConfigError(
            f"{name}: a row of {len(row)} values for {len(columns)} columns", hint=f"they are {', '.join(columns)}"
        )
    return dict(zip(columns, row, strict=True))


def _of_postgres(store: Postgres, name: str) -> tuple[list[str], list[dict[str, Any]], list[str]]:
    """Return columns, rows and primary key."""
    from psycopg import sql
    from psycopg.rows import dict_row

    *front, table = name.split(".")
    schema = front[-1] if front else "public"
    connection = store.client_for(front[0] if len(front) > 1 else next(iter(store.spec.databases), None))
    where = sql.Identifier(schema, table)
    text = where.as_string(connection)
    if connection.execute("SELECT to_regclass(%s)", [text]).fetchone() == (None,):
        listed = connection.execute(
            "SELECT schemaname || '.' || tablename FROM pg_catalog.pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        ).fetchall()
        raise AssertionError(f"there is no table {name}; there are: {', '.join(one for (one,) in listed) or 'none'}")
    key = [column for (column,) in connection.execute(_PRIMARY_KEY, [text]).fetchall()]
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(sql.SQL("SELECT * FROM {}").format(where)).fetchall()
        return [column.name for column in cursor.description or ()], found, key


def _of_delta(store: Service[Any], name: str) -> tuple[list[str], list[dict[str, Any]], list[str]]:
    """Return columns and rows of the latest version; a Delta table has no primary key."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    if not isinstance(store, S3):
        raise ConfigError(f"the role {store.role!r} has no tables", hint="give the service `postgres` or `s3`")
    bucket, _, folder = name.partition("/")
    uri = f"s3://{store.physical(bucket)}/{folder.strip('/')}"
    try:
        table = DeltaTable(uri, storage_options=store.storage_options()).to_pyarrow_table()
    except TableNotFoundError:
        raise AssertionError(f"there is no Delta table {name}") from None
    return list(table.column_names), table.to_pylist(), []
