"""A client, its daemon or one of its services killed at a moment that nobody chose, and what is left of them then.

    python -m tests.harness.session.killing --services s3,postgres --tries 40

kills client and service together, so many times, and says how long it took until nothing was left.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.harness.session.test_interrupts import SLEEPER
from tests.patience import eventually

#: seconds; what the documentation promises, whatever died
BAR = 15.0

BLOCKS = {
    "postgres": "{databases: [warehouse]}",
    "s3": "{buckets: [lake]}",
    "kafka": "{topics: {orders: {}}}",
    "spark": "{}",
}

#: a name in the code: each client then has a server of its own
LITERAL = SLEEPER.replace(
    "import time", "import time\nfrom airflow.providers.amazon.aws.hooks.s3 import S3Hook"
).replace(
    "        print(",
    "        S3Hook('aws').load_string('a', key='k', bucket_name='lake') if time is None else None\n        print(",
)

#: a word of the command line by which a process of a victim is told from the others
WORDS = {
    "client": "-m harness ",
    "daemon": "harness.session.daemon",
    "postgres": "bin/postgres",
    "s3": "moto_server",
    "kafka": "/kafka/",
    "spark": "spark_host",
}


def write_project(folder: Path, services: dict[str, str], dag: str = SLEEPER) -> Path:
    """Make a project whose one task sleeps, with the folders in which a session leaves things."""
    for name in ("environments", "dags", "runtime", "tmp"):
        (folder / name).mkdir()
    lines = "".join(f"  {name}: {block}\n" for name, block in services.items())
    (folder / "environments" / "dev.yaml").write_text(f"stage: dev\nservices:\n{lines}")
    (folder / "dags" / "sleeps.py").write_text(dag)
    return folder


@contextmanager
def running(project: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the sleeping DAG, or another command, with a runtime and a temporary folder of the project's own."""
    # root's PostgreSQL works as another user, who must be able to enter its folder
    (project / "tmp").chmod(0o755)
    environ = {**os.environ, "HARNESS_RUNTIME": str(project / "runtime"), "TMPDIR": str(project / "tmp")}
    with (project / "log").open("wb") as log:
        command = [sys.executable, "-m", "harness", *(words or ("run", "sleeps"))]
        client = subprocess.Popen(command, cwd=project, env=environ, stdout=log, stderr=log)
    try:
        yield client
    finally:
        client.kill()
        client.wait()


def strike(project: Path, victims: list[str], signum: signal.Signals = signal.SIGKILL) -> list[str]:
    """Signal the processes of the victims, services before the client; return the victims that were there."""
    struck = []
    for victim in sorted(victims, key=["client", "daemon"].__contains__):
        for process in processes_of(project):
            if WORDS[victim] in " ".join(process.info["cmdline"] or ()) and not _is_child(process, project):
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGKILL if victim == "client" else signum)
                    struck.append(victim)
    return struck


def _is_child(process: psutil.Process, project: Path) -> bool:
    """Tell a fork of a server from the server: the parent of a fork is what it is itself."""
    with suppress(psutil.Error):
        return process.parent() is not None and process.parent().cmdline() == process.cmdline()  # type: ignore[union-attr]
    return True


def processes_of(project: Path) -> list[psutil.Process]:
    """Return the living processes that have the project's runtime folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            ended = process.status() == psutil.STATUS_ZOMBIE
            if not ended and process.environ().get("HARNESS_RUNTIME") == str(project / "runtime"):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def remains(project: Path) -> list[str]:
    """Name every process and folder that is there."""
    # the file of a lock stays: who removed it could take it from under one who waits for it
    owned = [path for path in (project / "runtime").iterdir() if path.suffix != ".lock"]
    found = [str(path) for path in (*owned, *(project / "tmp").iterdir())]
    return found + [" ".join(process.info["cmdline"] or ()) for process in processes_of(project)]


@dataclass(frozen=True)
class Attempt:
    """What is struck, and when: two clients whose names stand in the code have servers of their own."""

    services: list[str]
    victim: str
    moment: float
    signum: signal.Signals
    clients: int = 1

    def leaves_nothing(self) -> bool:
        """Strike clients and service, and tell whether nothing is left within the bar."""
        with tempfile.TemporaryDirectory(prefix="k", dir="/tmp") as folder, ExitStack() as stack:
            blocks = {name: BLOCKS[name] for name in self.services}
            project = write_project(Path(folder), blocks, SLEEPER if self.clients == 1 else LITERAL)
            project.chmod(0o755)
            stack.callback(_end_all, project)
            for _ in range(self.clients):
                stack.enter_context(running(project))
            time.sleep(self.moment)
            struck = strike(project, ["client", self.victim], self.signum)
            began = time.monotonic()
            clean = eventually(lambda: not remains(project), BAR)
            seconds = time.monotonic() - began
            left = "" if clean else "\n  " + "\n  ".join(remains(project))
            asleep = any("asleep" in log.read_text() for log in project.glob(".harness/runs/*/**/*.log"))
        phase = "in its task" if asleep else "before it"
        words = f"{self.moment:5.1f} s {phase:11} {self.signum.name} {'+'.join(struck):16}"
        print(f"{words} gone after {seconds:4.1f} s{left}", flush=True)
        return clean


def _end_all(project: Path) -> None:
    for process in processes_of(project):
        with suppress(psutil.Error):
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", default="s3,postgres", help="what the environment holds")
    parser.add_argument("--victims", help="services that die with the client, in turn; by default all")
    parser.add_argument("--tries", type=int, default=40)
    parser.add_argument("--span", type=float, default=12.0, help="seconds within which the moment lies")
    parser.add_argument("--freeze", action="store_true", help="stop every second victim (SIGSTOP), in place of kill -9")
    parser.add_argument("--clients", type=int, default=1, help="with more than one, each has servers of its own")
    options = parser.parse_args()
    services = options.services.split(",")
    victims = (options.victims or options.services).split(",")
    failed = 0
    for number in range(options.tries):
        moment = (number + random.random()) * options.span / options.tries
        frozen = options.freeze and number // len(victims) % 2
        signum = signal.SIGSTOP if frozen else signal.SIGKILL
        attempt = Attempt(services, victims[number % len(victims)], moment, signum, options.clients)
        failed += not attempt.leaves_nothing()
    print(f"{options.tries} tries, {failed} left something after {BAR:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
