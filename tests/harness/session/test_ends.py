"""Sessions whose client and service die together: what nobody can clean must not keep what nobody uses."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from harness.environment import Environment
from harness.session import reaper
from harness.session.client import Session
from tests.harness.session.killing import BAR, remains, running, strike, write_project
from tests.patience import eventually

Gone = Callable[..., bool]

ASKER = """
import sys
from harness.environment import Environment
from harness.session.client import Session
with Session(Environment.load("dev")) as session, session.namespace():
    print(session.id, flush=True)
    sys.stdin.readline()
    print("asking", flush=True)
    session.open_namespace()
"""

KILL_OR_FREEZE = pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])


@pytest.fixture
def store(project: Path) -> Environment:
    """An object store: its client library has exceptions of its own, and retries."""
    (project / "environments" / "dev.yaml").write_text("stage: dev\nservices:\n  s3: {buckets: [lake]}\n")
    return Environment.load("dev", folder=project / "environments")


def server(session: str) -> psutil.Process:
    (found,) = [one for one in reaper.processes_of(session) if "moto_server" in " ".join(one.cmdline())]
    return found


def start(project: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a client that holds a namespace, and asks for another one when it is told to."""
    client = subprocess.Popen(
        [sys.executable, "-c", ASKER], cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert client.stdout is not None
    return client, client.stdout.readline().strip()


def kill(client: subprocess.Popen[str]) -> None:
    client.kill()
    client.communicate()


@KILL_OR_FREEZE
def test_the_session_ends_with_its_client_though_a_store_is_not_there(
    store: Environment, project: Path, gone: Gone, signum: signal.Signals
) -> None:
    client, session = start(project)
    server(session).send_signal(signum)
    kill(client)
    assert gone(session)


def test_a_client_that_dies_while_a_frozen_store_keeps_its_request_is_seen(
    store: Environment, project: Path, gone: Gone
) -> None:
    client, session = start(project)
    server(session).suspend()
    print(file=client.stdin, flush=True)
    assert client.stdout is not None
    assert client.stdout.readline() == "asking\n"
    kill(client)
    assert gone(session)


def test_a_namespace_ends_without_an_error_when_its_store_died(store: Environment) -> None:
    with Session(store) as session, session.namespace():
        server(session.id).kill()


def test_who_else_holds_the_session_keeps_it_when_a_client_and_a_store_die(store: Environment, project: Path) -> None:
    client, session = start(project)
    with Session(store) as mine:
        server(session).kill()
        kill(client)
        assert eventually(lambda: len(mine.ask("status")["leases"]) == 1)
        assert not mine.health()[0].healthy


@pytest.mark.parametrize("moment", [0.3, 1.5, 4.0])
def test_a_check_that_is_killed_leaves_nothing(tmp_path: Path, moment: float) -> None:
    project = write_project(tmp_path, {})
    (project / "dags" / "slow.py").write_text("import time\nfrom airflow.sdk import DAG\ntime.sleep(60)\nDAG('slow')\n")
    with running(project, "check", "dags"):
        time.sleep(moment)
        strike(project, ["client"])
        clean = eventually(lambda: not remains(project), BAR)
    assert clean, remains(project)
