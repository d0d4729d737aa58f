from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.environment import Environment
from harness.session import reaper, records
from tests.patience import eventually


@pytest.fixture(autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of the test's own; the test has left nothing in it."""
    folder = tmp_path_factory.mktemp("r")
    monkeypatch.setenv("HARNESS_RUNTIME", str(folder))
    yield folder
    for record in records.records():
        pytest.fail(f"session {record.id} was left behind, {'alive' if record.alive() else 'dead'}")


@pytest.fixture
def project(toy_project: Path) -> Path:
    return toy_project


@pytest.fixture
def environment(project: Path) -> Environment:
    return Environment.load("dev", folder=project / "environments")


@pytest.fixture
def harness(project: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in the project, as a user does."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", *words],
            cwd=project,
            env={**os.environ, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call


@pytest.fixture
def gone() -> Callable[..., bool]:
    """Wait until nothing of a session is left: no process, no folder."""

    def wait(session: str, within: float = 60.0) -> bool:
        folder = records.runtime_dir() / session
        return eventually(lambda: not (reaper.processes_of(session) or folder.exists()), within)

    return wait
