"""What stands between the tasks of one run and their services: where it is put, and what it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from harness.environment.spec import AirflowSpec
from harness.errors import ConfigError, HarnessError, RunError
from harness.faults import ledger
from harness.faults.host import Proxy
from harness.faults.relay import Front
from harness.models.fault import Fault, Fired, Outage, RecordWrites, TaskFault, WritePoint
from harness.services.base import Service

RECORDED = ("s3", "postgres", "kafka", "http")
"""Roles whose writes can be told from their reads."""
CUT = (*RECORDED, "smtp")
"""Roles that a task is a network away from. Spark is not: its driver is the task's own, or the resident one."""


class Control:
    """The faults of one run that need a proxy, from `start` to `stop`; without such faults it does nothing.

    Args:
        faults: of the run.
        notes: file that fired faults are noted in.
    """

    def __init__(self, faults: Sequence[Fault], notes: Path) -> None:
        self._faults = tuple(faults)
        self._notes = notes
        self._proxy: Proxy | None = None
        self._undo = ExitStack()
        self._turn: tuple[str, int, str] | None = None
        self._writes: dict[str, list[WritePoint]] = {}
        self._used: dict[str, dict[str, set[str]]] = {}
        #: what the tasks must find in their environment, in place of what is there
        self.environ: dict[str, str] = {}

    @property
    def news(self) -> int:
        """The port at which a task tells that it has taken an exception; 0 without a proxy."""
        return self._proxy.news if self._proxy is not None else 0

    @property
    def alone(self) -> bool:
        """Tell whether tasks have to run one at a time: whose write it is is told by whose turn it is."""
        return self._proxy is not None

    def start(
        self, services: Mapping[str, Service[Any]], airflow: AirflowSpec | None, environ: Mapping[str, str]
    ) -> None:
        """Put a proxy in front of the services that the faults are about.

        Args:
            services: of the run's namespace.
            airflow: what the environment declares for Airflow.
            environ: of the run's processes, as it would be without faults.

        Raises:
            ConfigError: there is no such service, or it cannot have a proxy.
            RunError: the request does not tell what its connections are made of.
        """
        counts = any(_counts(fault) for fault in self._faults)
        wanted = self._wanted(services, counts=counts)
        if not wanted:
            return
        if airflow is None:
            raise RunError("faults between tasks and services need the request's 'airflow'")
        fronts = [front for name in wanted for front in self._undo.enter_context(fronts_of(services[name]))]
        self._proxy = self._undo.enter_context(Proxy(fronts, counts=counts))
        behind = {name: moved(services[name], self._proxy.ports) for name in wanted}
        self.environ = _changed(airflow, services, {**services, **behind}, environ)
        for store in behind.values():
            if store.role == "s3":
                self._turn_spark(services, store)

    def stop(self) -> None:
        """Take the proxy away; idempotent."""
        self._proxy = None
        self._undo.close()

    def begin(self, task: str, attempt: int, run_id: str) -> None:
        """Say that a try begins, before its process does."""
        if self._proxy is not None:
            self._turn = (task, attempt, run_id)
            self._proxy.begin(task, attempt, self._faults)

    def started(self, pid: int) -> None:
        """Say which process the try has."""
        if self._proxy is not None:
            self._proxy.started(pid)

    def end(self) -> None:
        """Say that the try's process has ended."""
        if self._proxy is None or self._turn is None:
            return
        task, attempt, run_id = self._turn
        seen = self._proxy.end()
        self._turn = None
        self._writes.setdefault(run_id, []).extend(seen.writes)
        self._used.setdefault(run_id, {}).setdefault(task, set()).update(seen.used)
        for fault in seen.fired:
            ledger.note(self._notes, Fired(fault=fault, task=task, attempt=attempt, run_id=run_id))

    def writes(self, run_id: str) -> tuple[WritePoint, ...]:
        """Return the writes of one run, in their order."""
        return tuple(self._writes.get(run_id, ()))

    def used(self, run_id: str) -> dict[str, tuple[str, ...]]:
        """Return the services that each task of one run sent something to."""
        return {task: tuple(sorted(names)) for task, names in self._used.get(run_id, {}).items()}

    def fired(self, run_id: str) -> tuple[Fired, ...]:
        """Return the faults that took place in one run, in their order."""
        return ledger.read(self._notes, run_id)

    def _wanted(self, services: Mapping[str, Service[Any]], *, counts: bool) -> list[str]:
        names = {fault.service for fault in self._faults if isinstance(fault, Outage)}
        for name in names - services.keys():
            raise ConfigError(
                f"a fault asks for an outage of {name!r}, and the environment has no such service",
                hint=f"it has {', '.join(services) or 'none'}",
            )
        if counts:
            names |= {name for name, service in services.items() if service.role in CUT}
        return sorted(names)

    def _turn_spark(self, services: Mapping[str, Service[Any]], store: Service[Any]) -> None:
        """Let the resident Spark reach the namespace's buckets through the proxy; it does not read our environment."""
        for driver in services.values():
            if driver.role == "spark":
                point: Any = driver
                point.reach(store, hurried=True)
                self._undo.callback(_reach_again, point, services[store.name])


@contextmanager
def fronts_of(service: Service[Any]) -> Iterator[list[Front]]:
    """Find where a proxy in front of a service listens; a broker's spare listener is taken for the block's length.

    Most services have one port. Applications have one each, besides the server's own.

    Raises:
        ConfigError: the service is external, or its broker has no free spare listener.
    """
    at = service.endpoint
    if at.engine == "external":
        raise ConfigError(f"no fault can be put in front of {service.name!r}: it is external")
    if service.role != "kafka":
        # what is encrypted cannot be read along
        role = "tcp" if at.options.get("scheme") == "https" else service.role
        parts: dict[str, int] = getattr(service, "ports", {})
        own = Front(service.name, role, at.host, at.port)
        yield [own, *(Front(service.name, role, at.host, port, part=part) for part, port in parts.items())]
        return
    for slot in filter(None, at.options.get("slots", "").split(",")):
        port, advertised = map(int, slot.split(":"))
        with _taken(advertised) as mine:
            if mine:
                yield [Front(service.name, service.role, at.host, port, advertised)]
                return
    raise ConfigError(
        f"no fault can be put in front of {service.name!r}: its broker has no free spare listener",
        hint="the embedded engine has four, each for one run with faults at a time",
    )


@contextmanager
def _taken(port: int) -> Iterator[bool]:
    """Take a port for the block's length among the processes of this user; tell whether it was free."""
    from filelock import FileLock, Timeout

    from harness.session.records import runtime_dir

    lock = FileLock(runtime_dir() / f"slot-{port}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def moved(service: Service[Any], ports: Mapping[str, int]) -> Service[Any]:
    """Return the service as it is seen through ports of this host, by the names of their fronts."""
    endpoint = service.endpoint.model_copy(update={"host": "127.0.0.1", "port": ports[service.name]})
    front = f"{service.name}/"
    parts = {name.removeprefix(front): str(port) for name, port in ports.items() if name.startswith(front)}
    names = {**service.slice.names, "port": parts} if parts else service.slice.names
    return type(service)(service.name, service.spec, endpoint, service.slice.model_copy(update={"names": names}))


def _reach_again(driver: Any, store: Service[Any]) -> None:
    # that a driver died is reported by whoever uses it
    with suppress(HarnessError, OSError):
        driver.reach(store, hurried=False)


def _counts(fault: Fault) -> bool:
    return isinstance(fault, RecordWrites) or (isinstance(fault, TaskFault) and fault.moment == "at_write")


def _changed(
    airflow: AirflowSpec,
    services: Mapping[str, Service[Any]],
    behind: Mapping[str, Service[Any]],
    environ: Mapping[str, str],
) -> dict[str, str]:
    """Return the variables that differ behind the proxy; one that somebody has set otherwise stays as it is."""
    from harness.session.naming import airflow_variables

    before, after = airflow_variables(airflow, services), airflow_variables(airflow, behind)
    return dict(_differing(before, after, environ))


def _differing(
    before: Mapping[str, str], after: Mapping[str, str], environ: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for name, value in after.items():
        if value != before.get(name) and environ.get(name, value) in (before.get(name), value):
            yield name, value
