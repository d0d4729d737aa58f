"""What a user of pytest-airflow-in-a-box writes: the bundled smoke tests, and a whole run of each DAG of the folder.

Started by scripts/traps.py with that plugin's own interpreter; `--airflow-smoke` brings the smoke tests.
"""

from __future__ import annotations

import json
import os
import socket
from datetime import datetime
from typing import Any

import pytest

DAG_IDS = os.environ["TRAPS_DAG_IDS"].split()


class Desk:
    """The other end, which lends namespaces and takes answers.

    Args:
        fileno: of the socket that the process was started with.
    """

    def __init__(self, fileno: int) -> None:
        self._lines = socket.socket(fileno=fileno).makefile("rw")

    def say(self, **message: Any) -> None:
        print(json.dumps(message), file=self._lines, flush=True)

    def ask(self, dag_id: str) -> Any:
        self.say(ask=dag_id)
        return json.loads(self._lines.readline())


@pytest.fixture(scope="session")
def desk() -> Desk:
    """Take the socket that this process was started with."""
    return Desk(int(os.environ["TRAPS_DESK"]))


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_the_run_is_green(dag_id: str, desk: Desk, dag_bag: Any, run_dag: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the DAG once on inputs that are there."""
    job = desk.ask(dag_id)
    for name, value in job["environ"].items():
        monkeypatch.setenv(name, value)
    try:
        result = run_dag(dag_bag.dags[dag_id], logical_date=datetime.fromisoformat(f"{job['date']}T00:00:00+00:00"))
    except BaseException as error:
        desk.say(dag_id=dag_id, tested=f"{type(error).__name__}: {error}")
        raise
    desk.say(dag_id=dag_id, **({} if result.success else {"tested": f"the run is {result.state}"}))
    assert result.success
