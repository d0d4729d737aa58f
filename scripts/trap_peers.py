"""Runs DAGs as people do without a harness: DagBag for the import, `dag.test()` for a run; each in a fork of its own.

Started by scripts/traps.py, in a process of its own, because Airflow reads its settings when it is first imported.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import shutil
import socket
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

#: seconds for one run; the traps take a few, and one that hangs is ended
PATIENCE = 120

#: what costs seconds to import, and every fork needs
IMPORTED_ONCE = (
    "airflow.models",
    "airflow.api_fastapi.execution_api.app",
    "airflow.api_fastapi.execution_api.routes",
    "airflow.dag_processing.dagbag",
    "airflow.providers.amazon.aws.hooks.s3",
    "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.standard.operators.bash",
    "airflow.providers.standard.operators.python",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.serialization.serialized_objects",
    "boto3.session",
    "psycopg",
)


def main(dag_ids: list[str]) -> None:
    """Ask the desk for each DAG's surroundings, and answer what went wrong."""
    from airflow.utils.db import initdb

    for module in IMPORTED_ONCE:
        importlib.import_module(module)
    initdb()
    with socket.socket(fileno=int(os.environ["TRAPS_DESK"])) as desk, desk.makefile("rw") as lines:
        for dag_id in dag_ids:
            print(json.dumps({"ask": dag_id}), file=lines, flush=True)
            answer = in_fork(json.loads(lines.readline()))
            print(json.dumps({"dag_id": dag_id, **answer}), file=lines, flush=True)


def in_fork(job: dict[str, Any]) -> dict[str, str]:
    """Try a DAG in a fork, and return what went wrong by the way in which it shows; nothing for what was green."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=attempt, args=(job, sending))
    process.start()
    sending.close()
    answer: dict[str, str] = {"tested": f"no end after {PATIENCE} s"}
    if receiving.poll(PATIENCE):
        try:
            answer = receiving.recv()
        except EOFError:
            answer = {"tested": "the process died"}
    process.kill()
    process.join()
    return answer


def attempt(job: dict[str, Any], sending: Connection) -> None:
    """Import the file and run its DAG; sends the answer."""
    os.environ.update(job["environ"])
    # dag.test() reads the whole folder again at each call, so this file is alone in it
    folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = Path(shutil.copy(job["file"], folder))
    sending.send(tested(file, job["dag_id"], job["date"]))


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
