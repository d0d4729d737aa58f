"""How two environments differ in what DAGs find there: missing, extra, of another type, of another version.

Only names are compared and told, never values: two stages are meant to differ in those.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from harness.checks.usage import Usage
from harness.environment import Environment
from harness.environment.spec import ConnectionSpec, NameRef
from harness.models.gate import Drift

_ENVIRON = re.compile(r"AIRFLOW_(CONN|VAR)_(\w+)")
_CONN_TYPES = {"s3": "aws"}
"""Role -> type of its Airflow connection, where the two are called differently."""

_BUILT_IN = {("pool", "default_pool")}
_DECLARED = ("database", "bucket", "topic", "app")
_NEVER_LISTED = frozenset({"table", "asset"})
"""Kinds that no environment file declares: contracts and probes speak of them."""


class Thing(NamedTuple):
    """Something that an environment has. `type` and `version` are empty where there is none to compare."""

    kind: str
    name: str
    type: str = ""
    version: str = ""


def inventory(environment: Environment) -> dict[tuple[str, str], Thing]:
    """Return what DAGs find in an environment, by kind and name."""
    things = [*_airflow(environment), *_services(environment)]
    return {(thing.kind, thing.name): thing for thing in things}


def _airflow(environment: Environment) -> Iterator[Thing]:
    airflow = environment.spec.airflow
    for name, connection in airflow.connections.items():
        yield Thing("connection", name, _connection_type(connection, environment))
    for name, value in airflow.variables.items():
        yield Thing("variable", name, _variable_type(value))
    for name in airflow.pools:
        yield Thing("pool", name)
    for name in airflow.environ:
        match = _ENVIRON.fullmatch(name)
        kind = {"CONN": "connection", "VAR": "variable"}[match[1]] if match else "environ"
        yield Thing(kind, match[2].lower() if match else name)


def _connection_type(connection: ConnectionSpec, environment: Environment) -> str:
    if connection.service is None:
        return connection.conn_type or ""
    role = environment.spec.services[connection.service].role
    return _CONN_TYPES.get(role, role)


def _variable_type(value: object) -> str:
    if isinstance(value, NameRef) and value.part is None:
        return "name of a " + next(kind for kind in _DECLARED if getattr(value, kind, None) is not None)
    # numbers and texts reach a DAG alike, as text; lists and objects as JSON
    if isinstance(value, NameRef):
        return "text"
    return "object" if isinstance(value, Mapping) else "list" if isinstance(value, list) else "text"


def _services(environment: Environment) -> Iterator[Thing]:
    for name, service in environment.spec.services.items():
        yield Thing("service", name, service.role, _version(service.image))
        for kind in _DECLARED:
            for declared in getattr(service, f"{kind}s", ()):
                yield Thing(kind, declared)
        for package in getattr(service, "packages", ()):
            yield Thing("package", package)


def _version(image: str | None) -> str:
    """Return the tag of an image; its name differs from registry to registry."""
    tag = (image or "").partition("@")[0].rpartition("/")[2].partition(":")[2]
    return "" if tag == "latest" else tag


def compare(
    a: Environment | None,
    b: Environment,
    uses: Iterable[Usage],
    *,
    found: Mapping[str, frozenset[str]] | None = None,
    project: Path | None = None,
) -> list[Drift]:
    """Return what `b` lacks, has besides, or has otherwise.

    Args:
        a: what `b` is compared with; None compares it with what the DAGs use alone.
        uses: what the DAGs use, and where.
        found: kind -> the names that a probe saw in `b`'s external services; what is declared must be among them.
        project: uses are shown from here.
    """
    mine, theirs = inventory(a) if a else {}, inventory(b)
    used = _by_name(uses)
    wanted = {key for key, at in used.items() if key[0] not in _NEVER_LISTED and not all(use.optional for use in at)}
    differences = []
    for key in sorted({*mine, *theirs, *wanted} - _BUILT_IN):
        drift = _one(mine.get(key), theirs.get(key), key, compared=a is not None)
        if drift is None and key in theirs and found is not None and key[0] in found and key[1] not in found[key[0]]:
            drift = Drift(kind=key[0], name=key[1], change="missing", detail="declared, and not there")
        if drift is not None:
            differences.append(_completed(drift, used.get(key, ()), b, project))
    return differences


def _by_name(uses: Iterable[Usage]) -> dict[tuple[str, str], list[Usage]]:
    found: dict[tuple[str, str], list[Usage]] = defaultdict(list)
    for use in uses:
        found[use.kind, use.name].append(use)
    return found


def _one(mine: Thing | None, theirs: Thing | None, key: tuple[str, str], *, compared: bool) -> Drift | None:
    kind, name = key
    if theirs is None:
        detail = "" if mine or not compared else "used, and in neither"
        # a process has more variables than an environment declares, and the code says what it does without
        return (
            None if kind == "environ" and mine is None else Drift(kind=kind, name=name, change="missing", detail=detail)
        )
    if mine is None:
        return Drift(kind=kind, name=name, change="extra") if compared else None
    if mine.type != theirs.type:
        return Drift(kind=kind, name=name, change="type", detail=f"{mine.type or 'none'} -> {theirs.type or 'none'}")
    if mine.version and theirs.version and mine.version != theirs.version:
        return Drift(kind=kind, name=name, change="version", detail=f"{mine.version} -> {theirs.version}")
    return None


def _completed(drift: Drift, uses: Iterable[Usage], b: Environment, project: Path | None) -> Drift:
    at = list(uses)
    label = f"{drift.kind} {drift.name}"
    reason = next((why for what, why in b.spec.gate.drift.allow.items() if fnmatchcase(label, what)), None)
    return drift.model_copy(
        update={
            "uses": tuple(dict.fromkeys(f"{_shown(use.path, project)}:{use.line}" for use in at)),
            "dags": tuple(sorted({use.dag_id for use in at if use.dag_id})),
            "allowed": reason,
        }
    )


def _shown(path: str, project: Path | None) -> str:
    real = Path(path).resolve()
    return real.relative_to(project).as_posix() if project and real.is_relative_to(project) else path


def undeclared(differences: Iterable[Drift]) -> list[Drift]:
    """Return the differences that nobody has declared to be meant.

    What one stage has besides harms no DAG there; it still is a difference that somebody should have meant.
    """
    return [drift for drift in differences if drift.allowed is None]
