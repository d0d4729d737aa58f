"""Sees to which addresses outside its environment a task connects, so that a test that reaches production is told.

Python's own sockets are heard by audit events (PEP 578), at the moment of the attempt, whether it succeeds or not. What
C libraries and programs that the task starts connect to is seen by looking at the open connections of its processes,
some times a second: what is shorter than that, or done by a process that lives elsewhere (Spark's driver), is not seen.
Addresses of this machine are inside.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness.faults.task import name_of
from harness.models.base import Frozen

FILE = "egress.jsonl"

LOOK_EVERY = 0.2
"""Seconds between two looks at the open connections."""

Execute = Callable[..., Any]


class Contact(Frozen):
    """A task's attempt to reach an address, or to find out which one a name has.

    Args:
        host: the name, where the task gave one; else the address.
        port: None where only the name was looked up.
    """

    run_id: str
    task: str
    host: str
    port: int | None = None

    @property
    def place(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


class Watch:
    """Wraps what runs a task; what it sees is a line in a file, whole even when the task is killed right after.

    Args:
        notes: the file.
        inside: hosts of the environment's services.
    """

    def __init__(self, notes: Path, inside: Collection[str]) -> None:
        self._notes = notes
        self._inside = frozenset(inside)

    def wrap(self, execute: Execute) -> Execute:
        """Return `execute(context=, ti=, log=)` which is watched, and all that its process does after it."""

        def watched(context: Any, ti: Any, log: Any) -> Any:
            witness = _Witness(self._notes, self._inside, ti.run_id, name_of(ti))
            sys.addaudithook(witness.hear)
            witness.follow_names()
            threading.Thread(target=witness.look_on, name="egress", daemon=True).start()
            try:
                return execute(context=context, ti=ti, log=log)
            finally:
                witness.look()

        return watched


class _Witness:
    """What one task's process does."""

    def __init__(self, notes: Path, inside: frozenset[str], run_id: str, task: str) -> None:
        self._notes = notes
        self._inside = inside | own_addresses() | {"localhost", "", socket.gethostname().lower()}
        self._run_id, self._task = run_id, task
        self._names: dict[str, str] = {}
        self._seen: set[tuple[str, int | None]] = set()

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event (Python's documentation, "Audit events table")."""
        if not event.startswith("socket."):
            return
        match event, arguments:
            case ("socket.connect" | "socket.sendto", (_, (str(host), int(port), *_))):
                self._note(host, port)
            case "socket.getaddrinfo", (str(host), port, *_):
                self._note(host, port if isinstance(port, int) and port else None)
            case "socket.gethostbyname", (str(host),):
                self._note(host, None)

    def follow_names(self) -> None:
        """Keep which name an address was found by: who allows the name does not know the address."""
        find = socket.getaddrinfo

        def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
            found = find(host, *arguments, **options)
            name = host.decode() if isinstance(host, bytes) else host
            if isinstance(name, str):
                self._names.update((str(where[4][0]), name) for where in found)
            return found

        socket.getaddrinfo = getaddrinfo

    def look_on(self) -> None:
        """Look at the open connections until the process ends."""
        pause = threading.Event()
        while not pause.wait(LOOK_EVERY):
            self.look()

    def look(self) -> None:
        """Look at the connections that this process and those below it have open."""
        import psutil

        with suppress(psutil.Error, OSError):
            for process in _family(psutil.Process()):
                for one in process.net_connections("inet"):
                    if one.raddr and one.status != psutil.CONN_LISTEN:
                        self._note(one.raddr.ip, one.raddr.port)

    def _note(self, host: str, port: int | None) -> None:
        name = self._names.get(host, host).lower().rstrip(".")
        if self._is_inside(host.lower().rstrip(".")) or self._is_inside(name) or (name, port) in self._seen:
            return
        self._seen.add((name, port))
        contact = Contact(run_id=self._run_id, task=self._task, host=name, port=port)
        file = os.open(self._notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, contact.model_dump_json().encode() + b"\n")
        finally:
            os.close(file)

    def _is_inside(self, host: str) -> bool:
        if host in self._inside or host.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_loopback or address.is_unspecified


def _family(process: Any) -> Iterator[Any]:
    """Yield a process and those below it; by the kernel's own list, where psutil would read all of /proc."""
    import psutil

    yield process
    with suppress(OSError, psutil.Error):
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            for pid in (thread / "children").read_text().split():
                yield from _family(psutil.Process(int(pid)))


def own_addresses() -> frozenset[str]:
    """Return the addresses of this machine's network interfaces."""
    import psutil

    return frozenset(one.address.partition("%")[0] for of in psutil.net_if_addrs().values() for one in of)


def contacts(notes: Path, run_id: str, allowed: Mapping[str, str]) -> list[Contact]:
    """Return what a run's tasks reached outside, in that order, without what is allowed.

    Args:
        notes: the file.
        run_id: of the run.
        allowed: `host`, `host:port` or `*.example.com` -> why.
    """
    if not notes.is_file():
        return []
    found = [Contact.model_validate(json.loads(line)) for line in notes.read_bytes().splitlines()]
    mine = [one for one in dict.fromkeys(found) if one.run_id == run_id and not _is_allowed(one, allowed)]
    # the look-up before a connection says nothing more
    connected = {(one.task, one.host) for one in mine if one.port is not None}
    return [one for one in mine if one.port is not None or (one.task, one.host) not in connected]


def _is_allowed(contact: Contact, allowed: Mapping[str, str]) -> bool:
    return any(fnmatchcase(contact.host, pattern) or fnmatchcase(contact.place, pattern) for pattern in allowed)


def in_words(contact: Contact, environment: str) -> str:
    """Return the reason for which a run fails."""
    return (
        f"{contact.task} reached for {contact.place}, which is no service of {environment} "
        "(serve it there, or allow it by `egress:`)"
    )
