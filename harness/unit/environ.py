"""Connections and variables as the environment variables in which Airflow looks for them."""

from __future__ import annotations

import json
from typing import Any

from harness.errors import ConfigError

_FIELDS = {"conn_type", "host", "login", "password", "schema", "port", "extra", "description"}


def connection_environ(conn_id: str, uri: str | None = None, **fields: Any) -> dict[str, str]:
    """Return the variable that defines a connection.

    Args:
        conn_id: its id.
        uri: all of it as one URI, `postgres://user:secret@host:5432/warehouse`.
        fields: instead of that: `conn_type`, `host`, `login`, `password`, `schema`, `port`, `description`, and
            `extra` as a mapping.

    Raises:
        ConfigError: a field that connections do not have, or no type.
    """
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    if uri is not None:
        return {name: uri}
    unknown = sorted(fields.keys() - _FIELDS)
    if unknown or "conn_type" not in fields:
        wrong = f"a connection has no {unknown[0]}" if unknown else f"the connection {conn_id} has no conn_type"
        raise ConfigError(wrong, hint=f"its fields are {', '.join(sorted(_FIELDS))}; or give a uri")
    return {name: json.dumps(fields)}


def variable_environ(key: str, value: Any) -> dict[str, str]:
    """Return the variable that defines an Airflow variable; a value that is no string is written as JSON."""
    return {f"AIRFLOW_VAR_{key.upper()}": value if isinstance(value, str) else json.dumps(value)}
