"""A client's hold on a session: finds or starts its daemon, attaches, and opens namespaces."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from harness import errors
from harness.environment import Environment
from harness.errors import ServiceError
from harness.models.run import ServiceHealth
from harness.models.service import ServiceEvent, ServiceRef
from harness.services.base import Service
from harness.services.registry import rebuild
from harness.session import reaper, records
from harness.session.naming import airflow_environ
from harness.session.wire import Channel, ChannelClosed, Message

LAUNCH_WITHIN = 30.0
"""Seconds until a new daemon must listen; it starts no service before that."""


@dataclass(frozen=True)
class Namespace:
    """An isolated slice of every service, and what a DAG must find in Airflow to use it.

    Args:
        name: what it is called in this session.
        services: the services as this namespace sees them.
        refs: the same as plain data, for other processes.
        environ: connections, variables and tools' settings as process environment.
    """

    name: str
    services: dict[str, Service[Any]]
    refs: dict[str, ServiceRef]
    environ: dict[str, str]

    @property
    def alone(self) -> frozenset[str]:
        """The services whose server is this namespace's own, so that its names there are the declared ones."""
        return frozenset(name for name, ref in self.refs.items() if ref.slice.alone)


class Session:
    """A lease on the services of an environment, from `with` to its end.

    Args:
        environment: what is to run.
        keep: seconds that the services stay after the last lease; None ends them with it.
        on_event: takes each step of the services' start.
        fork_server: begin to start the fork server too, because a run will follow.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        keep: float | None = None,
        on_event: Callable[[ServiceEvent], None] | None = None,
        fork_server: bool = False,
    ) -> None:
        self.environment = environment
        self.id = ""
        self.start_seconds: dict[str, float] = {}
        self.attach_seconds = 0.0
        self._keep = keep
        self._on_event = on_event or (lambda event: None)
        self._wants_fork_server = fork_server
        self._channel: Channel | None = None
        self._record: records.SessionRecord | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Attach to the session's daemon, starting it when there is none; nothing to do when that is done.

        Raises:
            ServiceError: a service did not start; with the last lines of its log.
        """
        if self._channel is not None:
            # a second lease would end the first one, and with that one the session
            return
        began = time.monotonic()
        for attempt in range(3):
            self._record, self._channel = connect_or_launch(self.environment)
            try:
                answer = self._attach(self._channel)
            except ChannelClosed:
                # the daemon we found was ending just then
                self._channel.close()
                if attempt == 2:
                    raise
            except BaseException:
                self._keep = None
                self.close()
                raise
            else:
                self.id = answer["session"]
                self.start_seconds = answer["seconds"]
                self.attach_seconds = time.monotonic() - began
                return

    def _attach(self, channel: Channel) -> Message:
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
        channel.send(
            {"do": "attach", "keep": self._keep, "command": command, "fork_server": self._wants_fork_server},
        )
        return self._answer(channel)

    def ask(self, do: str, **parts: object) -> Message:
        """Send one request and return the answer; raises the daemon's error as it was there."""
        if self._channel is None:
            raise ServiceError("the session is not open", hint="use it in a 'with' block")
        self._channel.send({"do": do, **parts})
        return self._answer(self._channel)

    def _answer(self, channel: Channel) -> Message:
        while True:
            message = channel.receive()
            if "event" not in message:
                return checked(message)
            self._on_event(ServiceEvent.model_validate(message["event"]))

    @contextlib.contextmanager
    def namespace(self, name: str | None = None, *, alone: Collection[str] = ()) -> Iterator[Namespace]:
        """Open a namespace for the length of the block.

        Args:
            name: None for a fresh one, removed at the end; `main` for the stores under their plain names; any other
                is made when it is missing and stays as long as the session.
            alone: see `open_namespace`.
        """
        opened = self.open_namespace(name, alone=alone)
        try:
            yield opened
        finally:
            for service in opened.services.values():
                service.release()
            if name is None:
                self.close_namespace(opened.name)

    def open_namespace(self, name: str | None = None, *, alone: Collection[str] = ()) -> Namespace:
        """Open a namespace that stays until `close_namespace`, or until this lease ends.

        Args:
            name: see `namespace`.
            alone: services in which things must be called as they are declared, since code names them so; besides
                those that the environment declares to be (`names: declared`). They are nobody else's as long as the
                namespace is open; when all are in use, this waits, and `on_event` is told for whom.

        Raises:
            ServiceError: a further server did not start, or none became free in time.
        """
        answer = self.ask("open", name=name, alone=sorted(self._alone(alone)))
        refs = {key: ServiceRef.model_validate(ref) for key, ref in answer["services"].items()}
        services = {key: rebuild(key, ref) for key, ref in refs.items()}
        return Namespace(answer["name"], services, refs, airflow_environ(self.environment.spec, services))

    def _alone(self, asked: Collection[str]) -> set[str]:
        services = self.environment.spec.services
        kept = {name for name, spec in services.items() if spec.names == "declared"}
        return kept | {name for name in asked if services[name].names == "auto"}

    def close_namespace(self, name: str) -> None:
        """Remove a namespace's things from all stores; idempotent, also when the session is lost."""
        with contextlib.suppress(ChannelClosed):
            self.ask("close", name=name)

    def retain(self, name: str, keep: float) -> None:
        """Let a namespace outlive this lease, and the session with it for `keep` seconds of nobody's interest."""
        self.ask("retain", name=name, keep=keep)
        self._keep = keep

    def fork_server(self) -> Path:
        """Return the socket of the session's fork server, when it is ready."""
        return Path(self.ask("forkserver")["address"])

    def health(self, namespace: str | None = None) -> list[ServiceHealth]:
        """Ask every service that a namespace uses for one round trip, now."""
        return [ServiceHealth.model_validate(one) for one in self.ask("health", namespace=namespace)["health"]]

    def close(self) -> None:
        """End the lease; with the last one, and no keep, the services end, and this waits until they are gone."""
        if self._channel is None:
            return
        channel, self._channel = self._channel, None
        released = bool(self.id) and _release(channel)
        channel.close()
        if self._record is not None:
            _wait_unless_held(self._record, released)


def connect_or_launch(environment: Environment) -> tuple[records.SessionRecord, Channel]:
    """Return the session of this environment and a connection to its daemon; one of several callers starts it.

    Raises:
        ServiceError: it could not be started, or it speaks another version.
    """
    key = records.session_key(environment)
    lock = FileLock(records.runtime_dir() / f"{key}.lock")
    try:
        with lock.acquire(timeout=LAUNCH_WITHIN):
            record = records.find(key)
            if record is not None:
                try:
                    return record, Channel.connect(record.socket)
                except ChannelClosed:
                    _wait_for_end(record, within=15.0)
            # after the look for a living one: what is dead by then is found here
            reaper.sweep()
            record = launch(environment, key)
            with _undone_by_interruption(record):
                return record, Channel.connect(record.socket)
    except Timeout as error:
        raise ServiceError(
            f"another process has been starting this session for {LAUNCH_WITHIN:.0f} s", hint="see 'harness status'"
        ) from error


def launch(environment: Environment, key: str) -> records.SessionRecord:
    """Start a daemon and wait until it listens."""
    session = secrets.token_hex(4)
    services = {
        name: {"role": spec.role, "spec": spec.model_dump(mode="json", by_alias=True)}
        for name, spec in environment.spec.services.items()
    }
    record = records.SessionRecord(
        id=session,
        key=key,
        pid=0,
        created=time.time(),
        environment=environment.name,
        project=str(environment.project.resolve()),
        services={name: spec.engine for name, spec in environment.spec.services.items()},
    )
    watcher, alive = reaper.watch(session)
    try:
        record.folder.mkdir(mode=0o700)
        with record.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness.session.daemon"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=environment.project,
                env={**os.environ, records.SESSION_VARIABLE: session},
                pass_fds=[alive],
                start_new_session=True,
            )
    finally:
        os.close(alive)
    order = json.dumps({"record": record.model_dump(), "services": services, "reaper": watcher, "alive": alive})
    assert process.stdin is not None
    assert process.stdout is not None
    with _undone_by_interruption(record):
        process.stdin.write(order.encode())
        process.stdin.close()
        said = process.stdout.readline().strip()
    if said != b"listening":
        tail = tuple(record.log.read_text(errors="replace").splitlines()[-10:])
        reaper.reap(session)
        raise ServiceError("the session daemon did not start", log=tail, hint="run 'harness doctor'")
    process.stdout.close()
    return record.model_copy(update={"pid": process.pid})


@contextlib.contextmanager
def _undone_by_interruption(record: records.SessionRecord) -> Iterator[None]:
    """End a daemon that was just started when Ctrl-C or SIGTERM comes before there is a lease on it."""
    try:
        yield
    except BaseException:
        reaper.reap(record.id)
        raise


def checked(message: Message) -> Message:
    """Return the daemon's answer, or raise the error that it holds."""
    if message.get("ok"):
        return message
    kind = getattr(errors, message.get("kind", ""), ServiceError)
    if not issubclass(kind, ServiceError):
        kind = ServiceError
    raise kind(
        message["message"],
        role=message.get("role"),
        engine=message.get("engine"),
        log=tuple(message.get("log") or ()),
        hint=message.get("hint"),
    )


def _wait_for_end(record: records.SessionRecord, within: float) -> None:
    """Wait until a daemon that is ending is gone, `within` seconds at most, and end what it leaves.

    After an end in order there is nothing to find. One that was killed may have been alive when we looked for the dead.
    """
    until = time.monotonic() + within
    while record.alive() and time.monotonic() < until:
        time.sleep(0.05)
    reaper.reap(record.id)


def _release(channel: Channel) -> bool:
    """Give the lease back, and return whether the daemon has heard it."""
    try:
        channel.send({"do": "release"})
        return bool(channel.receive(within=5.0).get("ok"))
    except (ChannelClosed, TimeoutError):
        return False


def _wait_unless_held(record: records.SessionRecord, released: bool, within: float = 15.0) -> None:
    """Wait until the session is gone, or is seen to go on without us.

    Args:
        record: the session.
        released: our lease is known to be over, so whatever lease there is is somebody else's.
        within: seconds.
    """
    until = time.monotonic() + within
    while record.alive() and time.monotonic() < until:
        status = status_of(record)
        if status is not None:
            others = [lease for lease in status["leases"] if released or lease["pid"] != os.getpid()]
            if others or (status["keep"] and status["ready"]):
                return
        time.sleep(0.05)


def request(record: records.SessionRecord, do: str, **parts: object) -> Message:
    """Ask a daemon one question without holding a lease.

    Raises:
        ServiceError: it does not answer, or answers with an error.
    """
    with Channel.connect(record.socket, within=2.0) as channel:
        channel.send({"do": do, **parts})
        try:
            return checked(channel.receive(within=5.0))
        except TimeoutError as error:
            raise ServiceError(f"session {record.id} does not answer", hint="end it with 'harness down'") from error


def status_of(record: records.SessionRecord) -> Message | None:
    """Ask a daemon who holds it, since when, and how much memory it uses; None when it does not answer."""
    try:
        return request(record, "status")
    except ServiceError:
        return None


def stop(record: records.SessionRecord, within: float = 20.0) -> None:
    """End a session, whoever holds it, and wait until nothing of it is left."""
    with contextlib.suppress(ServiceError):
        request(record, "stop")
    _wait_for_end(record, within)
