"""Asks external services, reading only, whether what an environment declares is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.environment import Environment
from harness.environment.service import ServiceSpec
from harness.errors import HarnessError, Unreachable
from harness.services.base import Service

_PROBED: Mapping[str, str] = {"postgres": "database", "s3": "bucket", "kafka": "topic"}
SECONDS = 10


def probe(environment: Environment) -> tuple[dict[str, frozenset[str]], tuple[str, ...]]:
    """Look up the names of databases, buckets and topics in the environment's external services.

    Returns:
        Kind -> the names that are there, and the services that were asked. A kind is left out when a service of it is
        not external: what is declared there is created.

    Raises:
        Unreachable: a service does not answer, or lets nobody in.
    """
    found: dict[str, set[str]] = {}
    asked = []
    mixed = {_PROBED.get(spec.role) for spec in environment.spec.services.values() if spec.engine != "external"}
    for name, spec in environment.spec.services.items():
        kind = _PROBED.get(spec.role)
        if spec.engine == "external" and kind is not None and kind not in mixed:
            found.setdefault(kind, set()).update(_names(name, spec))
            asked.append(name)
    return {kind: frozenset(names) for kind, names in found.items()}, tuple(asked)


def _names(name: str, spec: ServiceSpec) -> set[str]:
    from harness.engines.base import Place
    from harness.engines.external import External
    from harness.services.registry import bind

    # an external engine keeps nothing anywhere: the folders are never made
    place = Place(folder=Path(name), cache=Path(name), project=Path.cwd(), session="probe")
    running = External().start(spec, place)
    service = bind(name, spec.role, spec, running.endpoint)
    try:
        return _ASK[spec.role](service)
    except HarnessError:
        raise
    except Exception as error:
        words = " ".join(str(error).split())[:300]
        raise Unreachable(
            f"cannot be asked what it holds: {type(error).__name__}: {words}", role=name, engine="external"
        ) from error
    finally:
        service.release()


def _databases(service: Service[Any]) -> set[str]:
    return {row[0] for row in service.client.execute("SELECT datname FROM pg_database").fetchall()}


def _buckets(service: Service[Any]) -> set[str]:
    return {bucket["Name"] for bucket in service.client.list_buckets()["Buckets"]}


def _topics(service: Service[Any]) -> set[str]:
    return set(service.client.admin().list_topics(timeout=SECONDS).topics)


_ASK: Mapping[str, Callable[[Service[Any]], set[str]]] = {
    "postgres": _databases,
    "s3": _buckets,
    "kafka": _topics,
}
