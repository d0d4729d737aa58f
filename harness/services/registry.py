"""Which class serves which role: the built-in ones by name, those of plugins by `module:Class`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from harness.environment.service import ServiceSpec
from harness.errors import ConfigError
from harness.models.service import Endpoint, ServiceRef, Slice
from harness.services.base import Service

BUILT_IN: Mapping[str, str] = {
    "postgres": "harness.services.postgres:Postgres",
    "s3": "harness.services.s3:S3",
    "kafka": "harness.services.kafka:Kafka",
    "spark": "harness.services.spark:Spark",
    "http": "harness.services.http:Http",
    "smtp": "harness.services.smtp:Smtp",
}


def service_type(role: str) -> type[Service[Any]]:
    """Return the class that serves a role.

    Args:
        role: as a resolved environment has it: a built-in name, or the `module:Class` of a plugin's.

    Raises:
        ConfigError: nobody serves it, or its module cannot be imported here.
    """
    module, _, name = BUILT_IN.get(role, role).partition(":")
    try:
        found: type[Service[Any]] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"the role {role!r} cannot be used: {error}") from error
    return found


def bind(name: str, role: str, spec: ServiceSpec, endpoint: Endpoint, slice: Slice | None = None) -> Service[Any]:
    """Make the client's view of one running service."""
    return service_type(role)(name, spec, endpoint, slice)


def rebuild(name: str, ref: ServiceRef) -> Service[Any]:
    """Make the client's view from what came over a socket."""
    kind = service_type(ref.role)
    return kind(name, kind.spec_type.model_validate(ref.spec), ref.endpoint, ref.slice)
