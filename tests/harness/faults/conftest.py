from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import faults
from harness.models.run import RunReport
from harness.runner import Dates, RunRequest, run
from harness.session.forkclient import ForkServer

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with ForkServer.start(folder=tmp_path_factory.mktemp("fork")) as server:
        yield server


@pytest.fixture
def run_dag(fork_server: ForkServer, tmp_path: Path) -> Callable[..., RunReport]:
    """Run one of the DAGs in `dags/` with the faults of the blocks around the call."""

    def run_one(dag_id: str, **request: Any) -> RunReport:
        options: dict[str, Any] = {
            "dag_id": dag_id,
            "dags_folder": HERE / "dags",
            "project": HERE,
            "folder": tmp_path / "run",
            "dates": Dates(date="2026-01-02"),
            "deadline": 120,
            "faults": faults.active(),
            "environ": {"HARNESS_MARKS": str(tmp_path)},
        }
        return run(RunRequest(**(options | request)), client=fork_server.client())

    return run_one


@pytest.fixture
def marks(tmp_path: Path) -> Callable[[], list[str]]:
    """Return the lines that tasks have left."""

    def lines() -> list[str]:
        path = tmp_path / "marks"
        return path.read_text().splitlines() if path.is_file() else []

    return lines
