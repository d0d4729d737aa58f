"""Fingerprints of PostgreSQL tables, computed by the server: rows leave it as digests, but for a sample."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from harness.models.snapshot import Dataset

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

#: How many rows are kept in full, for words in a diff: of a larger table those that were written last, since what a run
#: changed is most likely among them.
SAMPLE = 1000

# What a value looks like as text depends on these, and must not depend on who asks.
_FIXED = (
    "SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; "
    "SET extra_float_digits = 1; SET bytea_output = 'hex'; SET search_path = ''"
)

# relkind r: table, p: partitioned table, m: materialised view (PostgreSQL manual, 52.11); a partition is read with its
# parent; tables of extensions are not the user's.
_TABLES = """
SELECT n.nspname, c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND c.relpersistence <> 't' AND c.relispopulated
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname, a.attnum
"""

# 128 bits of SHA-256: two different rows of one table will not meet in it, and it needs no MD5, which FIPS forbids.
_DIGEST = "left(encode(sha256(convert_to(({row})::text, 'UTF8')), 'hex'), 32)"

_COUNTS = "SELECT {digest}, count(*) FROM {table} AS t GROUP BY 1"
_SAMPLE = "SELECT {digest}, {shown}::text FROM {table} AS t ORDER BY age(t.xmin), t.ctid DESC LIMIT {limit}"


def read_tables(
    connection: psycopg.Connection[Any], service: str, database: str, volatile: Mapping[str, Collection[str]]
) -> list[Dataset]:
    """Return one dataset for each table of a database, all of one moment.

    Args:
        connection: to that database; it is left in the middle of nothing, and with other settings.
        service: the service's name in the environment.
        database: the database's logical name.
        volatile: `database.schema.table` -> columns that are left out of the fingerprint.
    """
    from psycopg import IsolationLevel

    connection.autocommit = False
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with connection.transaction():
        connection.execute(_FIXED)
        tables: dict[tuple[str, str], dict[str, str]] = {}
        for schema, table, column, kind in connection.execute(_TABLES):
            columns = tables.setdefault((schema, table), {})
            if column is not None:
                columns[column] = kind
        found = []
        for (schema, table), columns in tables.items():
            name = f"{database}.{schema}.{table}"
            left_out = volatile.get(name, ())
            kept = sorted(column for column in columns if column not in left_out)
            digests, sample = _read(connection, (schema, table), kept)
            found.append(
                Dataset(
                    service=service,
                    name=name,
                    kind="table",
                    rows=sum(digests.values()),
                    digests=digests,
                    sample=sample,
                    columns=columns,
                )
            )
        return found


def _read(
    connection: psycopg.Connection[Any], table: tuple[str, str], columns: list[str]
) -> tuple[dict[str, int], dict[str, dict[str, Any]]]:
    from psycopg import sql

    # columns in the order of their names: adding one again at another place is no change of content
    values = [sql.SQL("t.{}").format(sql.Identifier(column)) for column in columns]
    row: sql.Composable = sql.SQL("ROW({})").format(sql.SQL(", ").join(values))
    parts = {
        "digest": sql.SQL(_DIGEST).format(row=row),
        "table": sql.Identifier(*table),
        "shown": sql.SQL("to_jsonb(t)"),
        "limit": sql.Literal(SAMPLE),
    }
    counts = connection.execute(sql.SQL(_COUNTS).format(**parts)).fetchall()
    rows = connection.execute(sql.SQL(_SAMPLE).format(**parts)).fetchall() if counts else []
    return dict(counts), {digest: _shown(text) for digest, text in rows}


def _shown(text: str) -> dict[str, Any]:
    """Read a row as JSON; a number with a point keeps its digits as text, since 12.10 as a float is 12.1."""
    values: dict[str, Any] = json.loads(text, parse_float=str)
    return values
