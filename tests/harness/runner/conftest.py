from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.models.run import RunReport
from harness.runner import Dates, RunEvent, RunRequest, run
from harness.session.forkclient import ForkServer

HERE = Path(__file__).parent
DAY = Dates(date="2026-01-02")

RunDag = Callable[..., RunReport]


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with ForkServer.start(folder=tmp_path_factory.mktemp("fork")) as server:
        yield server


@pytest.fixture
def events() -> list[RunEvent]:
    return []


@pytest.fixture
def run_dag(fork_server: ForkServer, tmp_path: Path, events: list[RunEvent]) -> RunDag:
    """Run one of the DAGs in `dags/` and return its report."""

    def run_one(dag_id: str, **request: Any) -> RunReport:
        options: dict[str, Any] = {
            "dag_id": dag_id,
            "dags_folder": HERE / "dags",
            "project": HERE,
            "folder": tmp_path / "run",
            "dates": DAY,
            "deadline": 60,
        }
        return run(RunRequest(**(options | request)), client=fork_server.client(), on_event=events.append)

    return run_one
