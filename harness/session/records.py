"""Where sessions live on this machine, and what is written down about each so that its remains can be found.

The runtime folder belongs to one user (0700). Each session has a folder in it, named by its id, with `record.json`, the
daemon's socket and log, and a folder for each service. Every process of a session carries HARNESS_SESSION=<id> in its
environment: that, not a list of pids, is how the reaper knows what to end.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import ValidationError

from harness.environment import Environment
from harness.errors import ConfigError
from harness.models.base import Frozen

SESSION_VARIABLE = "HARNESS_SESSION"

#: characters; a socket's whole path may have 103 of them (macOS; Linux 107), and ours adds `/12345678/socket`
LONGEST_PATH = 86


class SessionRecord(Frozen):
    """What a daemon writes down before it starts anything."""

    id: str
    key: str
    pid: int
    created: float
    environment: str
    project: str
    services: dict[str, str]

    @property
    def folder(self) -> Path:
        return runtime_dir() / self.id

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    @property
    def log(self) -> Path:
        return self.folder / "daemon.log"

    def alive(self) -> bool:
        """Tell whether the daemon that wrote this still runs; a reused pid is not mistaken for it."""
        import psutil

        try:
            return psutil.Process(self.pid).environ().get(SESSION_VARIABLE) == self.id
        except psutil.Error:
            return False


def runtime_dir() -> Path:
    """Return the user's folder for sessions, made when it is missing; HARNESS_RUNTIME moves it.

    It is below the temporary folder rather than XDG_RUNTIME_DIR, which is often a small tmpfs; and its path is short,
    because a unix socket's path holds about 100 characters.

    Raises:
        ConfigError: its path leaves no room for the name of a socket.
    """
    chosen = os.environ.get("HARNESS_RUNTIME")
    folder = Path(chosen) if chosen else Path(tempfile.gettempdir()) / f"harness-{os.getuid()}"
    if len(os.fsencode(folder.absolute())) > LONGEST_PATH:
        raise ConfigError(
            f"the path of the folder for sessions, {folder}, is too long for sockets: over {LONGEST_PATH} characters",
            hint="set HARNESS_RUNTIME (or TMPDIR) to a folder with a shorter path",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def harness_version() -> str:
    """Return the installed version of the harness."""
    try:
        return version("dtap-harness")
    except PackageNotFoundError:
        return "0"


def session_key(environment: Environment) -> str:
    """Return the key that says which sessions may share services.

    Two environments with the same resolved services share a daemon; any other difference in what would run (project,
    interpreter, harness, user) parts them.
    """
    parts = [
        environment.services_key(),
        str(environment.project.resolve()),
        sys.executable,
        harness_version(),
        str(os.getuid()),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def write_record(record: SessionRecord) -> None:
    """Write the record so that a reader sees all of it or nothing."""
    target = record.folder / "record.json"
    partial = target.with_suffix(".partial")
    partial.write_text(record.model_dump_json(indent=1))
    partial.replace(target)


def records() -> Iterator[SessionRecord]:
    """Yield the record of every session folder, of living and of dead daemons."""
    for path in sorted(runtime_dir().glob("*/record.json")):
        with contextlib.suppress(OSError, ValidationError):
            yield SessionRecord.model_validate_json(path.read_text())


def find(key: str) -> SessionRecord | None:
    """Return the living session of that key, if there is one."""
    return next((record for record in records() if record.key == key and record.alive()), None)


def remove_folder(folder: Path, within: float = 5.0) -> None:
    """Remove a session's folder, also while the last of its processes are letting go of their files."""
    until = time.monotonic() + within
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists() or time.monotonic() > until:
            return
        time.sleep(0.05)


def remove_remains(session: str) -> None:
    """Remove all folders of a session that is over: its own, and those that engines made beside it."""
    until = time.monotonic() + 5.0
    for folder in (runtime_dir() / session, *Path(tempfile.gettempdir()).glob(f"harness-{session}-*")):
        remove_folder(folder, within=until - time.monotonic())
