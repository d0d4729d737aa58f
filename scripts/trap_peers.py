"""Runs DAGs as people do without a harness: DagBag for the import, `dag.test()` for a run; one after the other.

Started by scripts/traps.py, in a process of its own, because Airflow reads its settings when it is first imported.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any

#: seconds for one run; the traps take a few, and one that hangs is ended
PATIENCE = 120


def main(dag_ids: list[str]) -> None:
    """Ask the desk for each DAG's surroundings, and answer what went wrong."""
    from airflow.utils.db import initdb

    initdb()
    signal.signal(signal.SIGALRM, give_up)
    with socket.socket(fileno=int(os.environ["TRAPS_DESK"])) as desk, desk.makefile("rw") as lines:
        for dag_id in dag_ids:
            print(json.dumps({"ask": dag_id}), file=lines, flush=True)
            answer = attempt(json.loads(lines.readline()))
            print(json.dumps({"dag_id": dag_id, **answer}), file=lines, flush=True)


def attempt(job: dict[str, Any]) -> dict[str, str]:
    """Import the file and run its DAG; returns what went wrong, by how it shows; nothing for green."""
    before = dict(os.environ)
    os.environ.update(job["environ"])
    # dag.test() reads the whole folder again at each call, so this file is alone in it
    folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = Path(shutil.copy(job["file"], folder))
    signal.alarm(PATIENCE)
    try:
        return tested(file, job["dag_id"], job["date"])
    finally:
        signal.alarm(0)
        os.environ.clear()
        os.environ.update(before)


def give_up(signum: int, frame: object) -> None:
    """End a run that hangs."""
    raise TimeoutError(f"no end after {PATIENCE} s")


def tested(file: Path, dag_id: str, date: str) -> dict[str, str]:
    """Return {} when the file can be imported and dag.test() is green."""
    import pendulum
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(file))
    if bag.import_errors:
        return {"imported": str(next(iter(bag.import_errors.values()))).strip().splitlines()[-1]}
    try:
        run = bag.dags[dag_id].test(logical_date=pendulum.parse(date))
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what the user would see
        return {"tested": f"{type(error).__name__}: {error}"}
    return {} if str(run.state) == "success" else {"tested": f"the run is {run.state}"}


if __name__ == "__main__":
    main(sys.argv[1:])
