"""What kill -9 leaves, at moments that nobody chose: while services start, while a task runs, or in between."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.engines.container.docker_engine import connect
from harness.engines.images import holds, recipe_for
from harness.errors import ServiceError
from tests.containers.test_remains import things_of
from tests.harness.session.test_interrupts import SLEEPER
from tests.patience import eventually

TIMES = 20
#: seconds between the first moment and the last one; by then the task sleeps
SPAN = 8.0
#: seconds; twice what the README promises, because other tests run beside
GONE_WITHIN = 20.0

ENVIRONMENT = """
stage: dev
services:
  postgres: {{engine: {engine}, databases: [warehouse]}}
  s3: {{buckets: [lake]}}
"""


@pytest.fixture(scope="module")
def docker_client() -> Iterator[Any]:
    """The container engine; None where none answers, or where it has no image of Postgres."""
    try:
        client = connect()
    except ServiceError:
        yield None
        return
    with closing(client):
        yield client if holds(client, recipe_for("postgres").tag) else None


@pytest.mark.slow
@pytest.mark.parametrize("number", range(TIMES))
def test_kill_9_at_a_random_moment_leaves_nothing(number: int, docker_client: Any, tmp_path: Path) -> None:
    for folder in ("environments", "dags", "runtime", "tmp"):
        (tmp_path / folder).mkdir()
    engine = "container" if docker_client else "embedded"
    (tmp_path / "environments" / "dev.yaml").write_text(ENVIRONMENT.format(engine=engine))
    (tmp_path / "dags" / "sleeps.py").write_text(SLEEPER)
    environ = {**os.environ, "HARNESS_RUNTIME": str(tmp_path / "runtime"), "TMPDIR": str(tmp_path / "tmp")}
    moment = (number + random.random()) * SPAN / TIMES
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "harness", "run", "sleeps"]
        client = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=log, stderr=log)
    time.sleep(moment)
    # a daemon that dies alone is started again by its client
    victims = random.choice([["harness run"], ["harness run", "session.daemon"]])
    for process in processes_of(tmp_path / "runtime"):
        if any(victim in " ".join(process.info["cmdline"] or ()) for victim in victims):
            process.kill()
    sessions: set[str] = set()
    clean = eventually(lambda: not remains(tmp_path, docker_client, sessions), GONE_WITHIN)
    client.kill()
    client.wait()
    left = "\n".join(remains(tmp_path, docker_client, sessions))
    assert clean, f"{moment:.2f} s, kill -9 of {victims}:\n{left}"


def processes_of(runtime: Path) -> list[psutil.Process]:
    """The living processes that have this runtime folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("HARNESS_RUNTIME") == str(runtime):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def remains(project: Path, docker_client: Any, sessions: set[str]) -> list[str]:
    """Name every process, folder, container, network and volume that is there; `sessions` collects who had them."""
    # the file of a lock stays: who removed it could take it from under one who waits for it
    owned = [path for path in (project / "runtime").iterdir() if path.suffix != ".lock"]
    sessions |= {path.name for path in owned}
    found = [str(path) for path in (*owned, *(project / "tmp").iterdir())]
    found += [" ".join(process.info["cmdline"] or ()) for process in processes_of(project / "runtime")]
    for session in sessions if docker_client else ():
        found += [thing.name for thing in things_of(docker_client, session)]
    return found
