"""Checks that what an environment names exists in it: services, and their databases, buckets, topics and apps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from harness.environment.problems import Problem
from harness.environment.service import HttpSpec, KafkaSpec, PostgresSpec, S3Spec, ServiceSpec, SparkSpec
from harness.environment.source import KeyPath
from harness.environment.spec import ConnectionSpec, DagSpec, EnvironmentSpec, NameRef
from harness.environment.suggest import did_you_mean

KINDS = ("database", "bucket", "topic", "app")
_WILD = frozenset("*?[")
#: methods that ask for a change (RFC 9110, 9.2.1)
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")


def reference_problems(spec: EnvironmentSpec) -> list[Problem]:
    """Return every reference that leads nowhere, and every key that its service's engine cannot heed."""
    return [*_airflow(spec), *_dags(spec), *_engines(spec.services)]


def declared(service: ServiceSpec, kind: str) -> Collection[str] | None:
    """Return the names of one kind that a service declares; None when its role has no such kind.

    By convention a role declares them in the field named by the plural: `databases`, `buckets`, `topics`, `apps`.
    """
    names = getattr(service, f"{kind}s", None)
    return names if isinstance(names, (list, dict, tuple)) else None


def _airflow(spec: EnvironmentSpec) -> Iterator[Problem]:
    for name, connection in spec.airflow.connections.items():
        yield from _reference(connection, ("airflow", "connections", name), spec.services)
    for name, value in spec.airflow.variables.items():
        if isinstance(value, NameRef):
            yield from _reference(value, ("airflow", "variables", name), spec.services)
    for name, value in spec.airflow.environ.items():
        if isinstance(value, NameRef):
            yield from _reference(value, ("airflow", "environ", name), spec.services)


def _reference(
    reference: ConnectionSpec | NameRef, path: KeyPath, services: Mapping[str, ServiceSpec]
) -> Iterator[Problem]:
    if reference.service is None:
        return
    service = services.get(reference.service)
    if service is None:
        yield _no_service(reference.service, (*path, "service"), services)
        return
    for kind in KINDS:
        name = getattr(reference, kind, None)
        if name is None:
            continue
        names = declared(service, kind)
        if names is None:
            yield Problem((*path, kind), f"the service {reference.service!r} has no {kind}s", at_key=True)
        elif name not in names:
            yield Problem((*path, kind), *_no_name(kind, name, reference.service, names))


def _no_service(name: str, path: KeyPath, services: Mapping[str, ServiceSpec], *, at_key: bool = False) -> Problem:
    hint = did_you_mean(name, services, "services are") or "'services:' declares none"
    return Problem(path, f"no service {name!r} in this environment", hint, at_key)


def _no_name(kind: str, name: str, service: str, names: Collection[str]) -> tuple[str, str]:
    """Return message and hint for a name that a service does not declare."""
    hint = did_you_mean(name, names, f"{kind}s are") or f"declare it under services.{service}.{kind}s"
    return f"the service {service!r} declares no {kind} {name!r}", hint


def _dags(spec: EnvironmentSpec) -> Iterator[Problem]:
    for dag_id, dag in spec.dags.items():
        yield from _contradictions(dag, ("dags", dag_id))
        for block in ("outputs", "untouched", "staging", "volatile"):
            by_service: Mapping[str, Sequence[str] | Mapping[str, object]] = getattr(dag, block)
            for service, names in by_service.items():
                path: KeyPath = ("dags", dag_id, block, service)
                if block == "outputs" and not names:
                    hint = "leave it out: what is declared of others is all that is published"
                    yield Problem(path, "an empty list publishes nothing", hint, at_key=True)
                elif service not in spec.services:
                    yield _no_service(service, path, spec.services, at_key=True)
                elif isinstance(names, Mapping):
                    for name in names:
                        yield from _dataset(name, service, spec.services[service], (*path, name), at_key=True)
                else:
                    for index, name in enumerate(names):
                        yield from _dataset(name, service, spec.services[service], (*path, index), at_key=False)


def _contradictions(dag: DagSpec, path: KeyPath) -> Iterator[Problem]:
    """An output that is staging too is never compared; what may stay untouched is an output."""
    for service, names in dag.outputs.items():
        for index, name in enumerate(names):
            staged = [pattern for pattern in dag.staging.get(service, ()) if covers(pattern, name)]
            if staged:
                message = f"{name!r} is never compared: 'staging' has {staged[0]!r}"
                yield Problem((*path, "outputs", service, index), message, "remove one of the two", at_key=False)
    for service, reasons in dag.untouched.items():
        for name in reasons:
            if name not in (outputs := dag.outputs.get(service, [])):
                hint = did_you_mean(name, outputs, "outputs are") or "declare it under 'outputs'"
                yield Problem((*path, "untouched", service, name), f"{name!r} is no declared output", hint, at_key=True)


def covers(pattern: str, name: str) -> bool:
    """Tell whether a pattern matches a name, as a user writes both: a folder (`lake/gold/`), a name, a glob.

    A table's name without its database and schema means any.
    """
    if pattern.endswith("/"):
        return name.startswith(pattern) or name == pattern.rstrip("/")
    return fnmatchcase(name, pattern) or fnmatchcase(name.rpartition(".")[2], pattern)


def _dataset(name: str, service: str, spec: ServiceSpec, path: KeyPath, *, at_key: bool) -> Iterator[Problem]:
    """Check the first part of a table's, object's or topic's name; what is below it only the DAG knows."""
    wild = bool(_WILD & set(name))
    if isinstance(spec, PostgresSpec):
        parts = name.split(".")
        if not wild and (len(parts) != 3 or not all(parts)):
            yield Problem(path, f"{name!r} is not a full table name", "write database.schema.table", at_key)
        elif len(parts) > 1 and not _any_match(spec.databases, parts[0]):
            yield Problem(path, *_no_name("database", parts[0], service, spec.databases), at_key)
    elif isinstance(spec, S3Spec):
        bucket, slash, _ = name.partition("/")
        if "://" in name:
            hint = f"write {name.partition('://')[2]!r}: the bucket, and what is in it"
            yield Problem(path, f"{name!r} is an address", hint, at_key)
        elif not _any_match(spec.buckets, bucket):
            yield Problem(path, *_no_name("bucket", bucket, service, spec.buckets), at_key)
        elif not slash and not wild:
            yield Problem(path, f"{name!r} is a bucket, and nothing in it", f"write '{name}/' for all it holds", at_key)
    elif isinstance(spec, SparkSpec):
        if not wild and name.count(".") != 1:
            hint = "write database.table; what lies in a bucket is named under the service that holds that"
            yield Problem(path, f"{name!r} is no table of a catalogue", hint, at_key)
    elif isinstance(spec, HttpSpec):
        yield from _call(name, service, spec, path, at_key=at_key)
    elif isinstance(spec, KafkaSpec) and not _any_match(spec.topics, name):
        yield Problem(path, *_no_name("topic", name, service, spec.topics), at_key)


def _call(name: str, service: str, spec: HttpSpec, path: KeyPath, *, at_key: bool) -> Iterator[Problem]:
    """Check the name of a call, `app METHOD /path`; a glob may stand for several parts of it."""
    parts = name.split(" ")
    wild = bool(_WILD & set(name))
    if not wild and (len(parts) != 3 or parts[1] not in _CHANGES or not parts[2].startswith("/")):
        hint = f"write 'app METHOD /path' with one of {', '.join(_CHANGES)}; what is only read is no outcome"
        yield Problem(path, f"{name!r} is no call", hint, at_key)
    elif spec.engine != "external" and len(parts) > 1 and not _any_match(spec.apps, parts[0]):
        yield Problem(path, *_no_name("app", parts[0], service, spec.apps), at_key)


def _any_match(names: Collection[str], pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _engines(services: Mapping[str, ServiceSpec]) -> Iterator[Problem]:
    """An address of a service that the harness starts itself would be ignored without a word."""
    for name, service in services.items():
        if service.engine == "external":
            continue
        for key in ("host", "port", "user", "password"):
            if getattr(service, key) is not None:
                hint = "set 'engine: external', or remove it"
                message = f"the engine {service.engine!r} chooses its own {key}"
                yield Problem(("services", name, key), message, hint, at_key=True)
