"""Where a service is, which slice of it a test has, and how its start went."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import Field

from harness.models.base import Frozen


class Endpoint(Frozen):
    """The address and the credentials of a running service; all that a client needs.

    `options` holds what only one role knows: `scheme`, `region`, the folder of a Spark warehouse.
    `secrets` names the fields and options whose values are redacted in logs and reports.
    """

    role: str
    engine: str
    host: str = "127.0.0.1"
    port: int
    user: str | None = None
    password: str | None = None
    options: dict[str, str] = Field(default_factory=dict)
    secrets: tuple[str, ...] = ("password",)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def secret_values(self) -> tuple[str, ...]:
        """Return the texts that must never be shown."""
        named = (getattr(self, name, None) or self.options.get(name) for name in self.secrets)
        return tuple(value for value in named if value)


class Slice(Frozen):
    """One namespace's part of a service: logical names and what they are called there.

    `names` maps a kind (`database`, `bucket`, `topic`, `group`, `warehouse`) to {logical: physical}. A slice without a
    prefix is the whole service, with every name as it is written; `alone` says that nobody else has a part of it, so
    that everything in it belongs to the namespace, declared or not.
    """

    prefix: str = ""
    alone: bool = False
    names: dict[str, dict[str, str]] = Field(default_factory=dict)

    def physical(self, kind: str, logical: str) -> str:
        """Return the name to use in the store; raises KeyError for a name that the environment does not declare."""
        return self.names[kind][logical]

    def logical(self, kind: str, physical: str) -> str:
        """Return the name as the environment writes it; a name that no namespace made stands for itself."""
        back = {here: there for there, here in self.names.get(kind, {}).items()}
        return back.get(physical, physical.removeprefix(self.prefix))


class Connection(Frozen):
    """An Airflow connection, as plain data."""

    conn_type: str
    host: str | None = None
    login: str | None = None
    password: str | None = None
    schema_: str | None = Field(default=None, alias="schema")
    port: int | None = None
    extra: dict[str, object] = Field(default_factory=dict)

    def as_json(self) -> str:
        """Render the value of an `AIRFLOW_CONN_*` variable (JSON form, Airflow's "Managing Connections")."""
        return json.dumps(self.model_dump(by_alias=True, exclude_none=True), sort_keys=True)


class ServiceEvent(Frozen):
    """One step of a service's life, for progress displays."""

    service: str
    engine: str
    phase: Literal["starting", "ready", "failed", "stopping", "stopped", "waiting"]
    seconds: float = 0.0
    detail: str = ""


class ServiceRef(Frozen):
    """All that a process needs to talk to a service of a running session; it travels as JSON."""

    role: str
    spec: dict[str, object]
    endpoint: Endpoint
    slice: Slice
