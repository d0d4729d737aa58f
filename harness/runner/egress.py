"""Sees to which addresses outside its environment a task connects, so that a test that reaches production is told.

Python's own sockets are heard by audit events (PEP 578), at the moment of the attempt, whether it succeeds or not; also
in Python programs that the task starts. What C libraries and other programs connect to is seen by looking at the open
connections of the task's processes, some times a second: what is shorter than that, or done by a process that lives
elsewhere (Spark's driver), is not seen. Addresses of this machine are inside.
"""

from __future__ import annotations

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
from harness.runner.witness import Witness

FILE = "egress.jsonl"
TOLD = "HARNESS_EGRESS"
"""Variable that tells a Python program of a task where to note what."""
_SITE = Path(__file__).with_name("egress_site")

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
            inside = self._inside | own_addresses() | {"localhost", "", socket.gethostname().lower()}
            witness = Witness(str(self._notes), inside, ti.run_id, name_of(ti))
            sys.addaudithook(witness.hear)
            witness.follow_names()
            _pass_on(witness)
            threading.Thread(target=_look_on, args=(witness,), name="egress", daemon=True).start()
            try:
                return execute(context=context, ti=ti, log=log)
            finally:
                _look(witness)

        return watched


def _look_on(witness: Witness) -> None:
    """Look at the open connections until the process ends."""
    pause = threading.Event()
    while not pause.wait(LOOK_EVERY):
        _look(witness)


def _look(witness: Witness) -> None:
    """Look at the connections that this process and those below it have open."""
    import psutil

    with suppress(psutil.Error, OSError):
        for process in _family(psutil.Process()):
            for one in process.net_connections("inet"):
                if one.raddr and one.status != psutil.CONN_LISTEN:
                    witness.note(one.raddr.ip, one.raddr.port)


def _pass_on(witness: Witness) -> None:
    """Let Python programs that this process starts hear themselves, by a module that they read at their start."""
    told = {
        "notes": witness.notes,
        "inside": sorted(witness.inside),
        "run_id": witness.run_id,
        "task": witness.task,
    }
    os.environ[TOLD] = json.dumps(told)
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{_SITE}{os.pathsep}{path}" if path else str(_SITE)


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
    lines = [json.loads(line) for line in notes.read_bytes().splitlines()]
    names = {line["address"]: line["name"] for line in lines if "address" in line}
    seen = [Contact.model_validate(line) for line in lines if "host" in line and line["run_id"] == run_id]
    found = [one.model_copy(update={"host": names.get(one.host, one.host)}) for one in seen]
    mine = [one for one in dict.fromkeys(found) if not _is_allowed(one, allowed)]
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
