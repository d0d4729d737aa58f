"""Which class serves which role: the built-in ones, and those that plugins add."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from harness.environment.spec import ServiceSpec
from harness.errors import ConfigError
from harness.models.service import Endpoint, ServiceRef, Slice
from harness.services.base import Service

BUILT_IN: Mapping[str, str] = {
    "postgres": "harness.services.postgres:Postgres",
    "s3": "harness.services.s3:S3",
    "kafka": "harness.services.kafka:Kafka",
    "spark": "harness.services.spark:Spark",
    "http": "harness.services.http:Http",
}


def service_type(role: str) -> type[Service[Any]]:
    """Return the class that serves `role`; raises ConfigError with the nearest name for one that nobody serves."""
    if role in BUILT_IN:
        module, _, name = BUILT_IN[role].partition(":")
        found: type[Service[Any]] = getattr(import_module(module), name)
        return found
    added = {kind.role: kind for kind in plugin_roles()}
    if role in added:
        return added[role]
    near = difflib.get_close_matches(role, [*BUILT_IN, *added], 1)
    raise ConfigError(f"unknown role {role!r}", hint=f"did you mean {near[0]!r}?" if near else None)


def plugin_roles() -> list[type[Service[Any]]]:
    """Return the roles that plugins add by the hook `harness_roles`."""
    from harness.hookspecs import plugin_manager

    return [kind for kinds in plugin_manager().hook.harness_roles() for kind in kinds]


def bind(name: str, role: str, spec: ServiceSpec, endpoint: Endpoint, slice: Slice | None = None) -> Service[Any]:
    """Make the client's view of one running service."""
    return service_type(role)(name, spec, endpoint, slice)


def rebuild(name: str, ref: ServiceRef) -> Service[Any]:
    """Make the client's view from what came over a socket."""
    kind = service_type(ref.role)
    return kind(name, kind.spec_type.model_validate(ref.spec), ref.endpoint, ref.slice)
