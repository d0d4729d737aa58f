"""Reads what a contract is about from a namespace: a Postgres table, a Delta table, or a Kafka topic of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import ConfigError, ServiceError
from harness.gate.holds import Rows

_POSTGRES = {
    **dict.fromkeys(("int2", "int4", "int8"), "integer"),
    **dict.fromkeys(("numeric", "float4", "float8"), "number"),
    **dict.fromkeys(("text", "varchar", "bpchar", "uuid", "name"), "string"),
    **dict.fromkeys(("timestamp", "timestamptz"), "timestamp"),
    **dict.fromkeys(("json", "jsonb"), "object"),
    **{"bool": "boolean", "date": "date", "time": "time"},
}


def read(service: Any, dataset: str) -> Rows:
    """Read a table or topic of a namespace by its logical name.

    Args:
        service: of the role postgres, s3 or kafka.

    Raises:
        ServiceError: it is not there, or cannot be read.
        ConfigError: the role holds no tables or topics.
    """
    readers = {"postgres": _postgres, "s3": _delta, "kafka": _topic}
    if service.role not in readers:
        raise ConfigError(
            f"a contract cannot be about {service.name}: the role {service.role} holds no tables or topics"
        )
    return readers[service.role](service, dataset)


def _postgres(service: Any, dataset: str) -> Rows:
    from psycopg import errors, sql

    database, _, table = dataset.partition(".")
    query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(*table.split(".")))
    try:
        cursor = service.client_for(database).execute(query)
    except errors.UndefinedTable as error:
        raise ServiceError(f"there is no table {dataset}", role=service.name) from error
    rows = cursor.fetchall()
    names = [column.name for column in cursor.description]
    kinds = [column.type_display for column in cursor.description]
    types = {
        name: "array" if kind.endswith("[]") else _POSTGRES.get(kind.partition("(")[0], kind)
        for name, kind in zip(names, kinds, strict=True)
    }
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return Rows(types, dict(zip(names, map(list, columns), strict=True)), len(rows))


def _delta(service: Any, dataset: str) -> Rows:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    bucket, _, key = dataset.partition("/")
    try:
        table = DeltaTable(f"s3://{service.physical(bucket)}/{key}", storage_options=service.storage_options())
        found = table.to_pyarrow_table()
    except TableNotFoundError as error:
        raise ServiceError(f"there is no Delta table {dataset}", role=service.name) from error
    except DeltaError as error:
        raise ServiceError(f"the Delta table {dataset} cannot be read: {error}", role=service.name) from error
    types = {column.name: _arrow(column.type) for column in found.schema}
    return Rows(types, {name: found.column(name).to_pylist() for name in found.column_names}, found.num_rows)


def _arrow(kind: Any) -> str:
    import pyarrow.types as kinds

    tests = (
        (kinds.is_integer, "integer"),
        (kinds.is_decimal, "number"),
        (kinds.is_floating, "number"),
        (kinds.is_boolean, "boolean"),
        (kinds.is_date, "date"),
        (kinds.is_timestamp, "timestamp"),
        (kinds.is_time, "time"),
        (kinds.is_struct, "object"),
        (kinds.is_map, "object"),
        (kinds.is_list, "array"),
        (kinds.is_large_list, "array"),
    )
    named = str(kind)
    return next((name for test, name in tests if test(kind)), "string" if "string" in named else named)


def _topic(service: Any, dataset: str) -> Rows:
    from harness.services.kafka_clients import read_topic

    messages = read_topic(service.client, service.physical(dataset))
    return of_messages([message.value for message in messages], dataset)


def of_messages(values: Sequence[bytes | None], topic: str) -> Rows:
    """Return JSON messages as columns; a message without a value is a deletion, and no row.

    Raises:
        ServiceError: a message is no JSON object.
    """
    rows: list[Mapping[str, Any]] = []
    for value in values:
        if value is None:
            continue
        try:
            row = json.loads(value)
        except ValueError as error:
            raise ServiceError(f"a message of {topic} is no JSON: {value[:80]!r}") from error
        if not isinstance(row, dict):
            raise ServiceError(f"a message of {topic} is no JSON object: {value[:80]!r}")
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    return Rows({name: _common(column) for name, column in columns.items()}, columns, len(rows), typed=False)


def _common(values: Sequence[Any]) -> str:
    kinds = {_kind(value) for value in values if value is not None}
    if kinds == {"number", "integer"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "null"


def _kind(value: Any) -> str:
    named = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
    return named[type(value)]
