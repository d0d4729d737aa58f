"""Fingerprints of large tables, against reading the rows into Python and hashing them there."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.bench.rows import Row
from tests.bench.surroundings import session
from tests.bench.timing import BenchError, in_turns, timed

ROWS = 1_000_000
_TABLE = f"""
CREATE TABLE orders AS
SELECT id, 'customer ' || id % 1000 AS customer, (id % 10000)::numeric(10, 2) / 100 AS amount,
       timestamptz '2026-01-01 00:00:00Z' + id * interval '1 second' AS placed, id % 3 = 0 AS paid,
       id::double precision / 7 AS weight, CASE WHEN id % 5 = 0 THEN NULL ELSE (id % 40)::int END AS quantity
FROM generate_series(1, {ROWS}) AS id
"""


def large_tables(rounds: int) -> list[Row]:
    """A table of seven types, in Postgres and as Delta on S3."""
    with session(("postgres", "s3")) as held, held.namespace() as namespace:
        database, store = namespace.services["postgres"], namespace.services["s3"]
        address = f"s3://{store.physical('lake')}/orders"
        database.client.execute(_TABLE)
        copy_to_delta(database, store, address)
        counted = f"{ROWS:,} rows"
        in_postgres = in_turns(rounds, lambda: fingerprint(database), lambda: timed(lambda: hash_rows(fetch(database))))
        in_delta = in_turns(
            rounds, lambda: fingerprint(store), lambda: timed(lambda: hash_rows(to_pylist(store, address)))
        )
    return [
        Row(f"fingerprint of a {kind} table of {counted}", ours, f"{against}, SHA-256 of each row", theirs)
        for kind, against, (ours, theirs) in (
            ("Postgres", "fetchall() of psycopg", in_postgres),
            ("Delta", "to_pylist() of PyArrow", in_delta),
        )
    ]


def fingerprint(service: Any) -> float:
    """Take the snapshot of one store, as a run does; the seconds."""
    from harness.state import snapshot

    found: list[Any] = []
    taken = timed(lambda: found.extend(snapshot({service.name: service})))
    if [one.rows for one in found] != [ROWS]:
        raise BenchError(f"the snapshot has {[(one.name, one.rows) for one in found]}")
    return taken


def copy_to_delta(database: Any, store: Any, address: str) -> None:
    """Write what the Postgres table holds as a Delta table."""
    import pyarrow as pa
    from deltalake import write_deltalake

    with database.client.cursor() as cursor:
        cursor.execute("SELECT * FROM orders")
        names = [column.name for column in cursor.description]
        columns = [pa.array(values) for values in zip(*cursor.fetchall(), strict=True)]
    write_deltalake(address, pa.table(columns, names), storage_options=store.storage_options())


def fetch(database: Any) -> list[Any]:
    """Read the table into tuples."""
    return list(database.client.execute("SELECT * FROM orders").fetchall())


def to_pylist(store: Any, address: str) -> list[Any]:
    """Read the table into dictionaries."""
    from deltalake import DeltaTable

    table = DeltaTable(address, storage_options=store.storage_options())
    return list(table.to_pyarrow_table().to_pylist())


def hash_rows(rows: Iterable[Any]) -> Counter[str]:
    """Count the rows by the digest of their text: what a test would do that compares without regard to order."""
    return Counter(hashlib.sha256(repr(row).encode()).hexdigest() for row in rows)
