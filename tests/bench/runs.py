"""Runs of whole DAGs in a warm session, against `dag.test()`."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.rows import Row
from tests.bench.surroundings import chain, environment
from tests.bench.timing import BenchError, in_turns, probe, timed

if TYPE_CHECKING:
    from harness.api import Session

#: DAG files in the folder -> what share of dag.test() a warm run may take
FOLDERS = {1: 0.7, 50: 0.12, 500: 0.02}
LONG, SHORT = 11, 1
DATE = "2026-01-02"


def whole_dag(rounds: int) -> list[Row]:
    """Three tasks, in folders of different sizes: `dag.test()` parses the folder at every call, a run one file."""
    with airflow_home() as home:
        return [in_folder(files, bar, rounds, home) for files, bar in FOLDERS.items()]


def in_folder(files: int, bar: float, rounds: int, home: dict[str, str]) -> Row:
    """The row of one folder."""
    with project() as root:
        environ = home | dags_in(root)
        for number in range(files):
            chain(root / "dags", f"chain_{number}", tasks=3)
        with warm_session(root, "chain_0") as session:
            ours, theirs = in_turns(
                rounds, lambda: run(session, "chain_0"), lambda: probe(dag_test, "chain_0", environ=environ)
            )
    where = "of 1 file" if files == 1 else f"of {files} files"
    against = "`dag.test()`, the second call of its process"
    return Row(f"warm run of a DAG of three tasks, folder {where}", ours, against, theirs, bar)


def task_overhead(rounds: int) -> list[Row]:
    """What one more Python task costs: the runs of a long and of a short chain compared."""
    with airflow_home() as home, project() as root:
        environ = home | dags_in(root)
        for tasks in (LONG, SHORT):
            chain(root / "dags", f"chain_{tasks}", tasks)
        with warm_session(root, f"chain_{LONG}", f"chain_{SHORT}") as session:
            ours, theirs = in_turns(
                rounds, lambda: run_per_task(session), lambda: probe(dag_test_per_task, environ=environ)
            )
    return [Row("one more Python task in a warm run", ours, "one more in `dag.test()`", theirs, 0.025, "alone")]


@contextmanager
def project() -> Iterator[Path]:
    """Make an empty project."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        (Path(name) / "pyproject.toml").touch()
        yield Path(name)


@contextmanager
def airflow_home() -> Iterator[dict[str, str]]:
    """Make a home for Airflow with the metadata database that users of `dag.test()` have; yield its variables."""
    with tempfile.TemporaryDirectory(prefix="bench-airflow-") as home:
        environ = {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(Path(home, "logs")),
        }
        probe(migrate, environ=environ)
        yield environ


def dags_in(root: Path) -> dict[str, str]:
    """Return the variable that points Airflow to a project's DAG files."""
    return {"AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags")}


@contextmanager
def warm_session(root: Path, *dag_ids: str) -> Iterator[Session]:
    """Hold a session without services in which these DAGs were run before."""
    from harness.api import Session

    with Session(environment((), root)) as session:
        for dag_id in dag_ids:
            run(session, dag_id)
        yield session


def run(session: Session, dag_id: str) -> float:
    """Run a DAG as a test does, all of `Session.run` included; the seconds."""
    began = time.perf_counter()
    report = session.run(dag_id, date=DATE)
    taken = time.perf_counter() - began
    if not report.passed:
        raise BenchError(f"the run of {dag_id} did not pass: {'; '.join(report.reasons)}")
    return taken


def run_per_task(session: Session, pairs: int = 3) -> float:
    """Compare the run of the long and of the short chain a few times; the median."""
    found = [run(session, f"chain_{LONG}") - run(session, f"chain_{SHORT}") for _ in range(pairs)]
    return statistics.median(found) / (LONG - SHORT)


def migrate() -> float:
    """Make the metadata database."""
    from airflow.utils.db import initdb

    return timed(initdb)


def dag_test(dag_id: str) -> float:
    """Call `dag.test()` twice, as tests of one session do; the seconds of the second, when all is imported."""
    dag = parsed(dag_id)
    tested(dag, "2026-01-01")
    return tested(dag, DATE)


def dag_test_per_task() -> float:
    """Compare `dag.test()` of the long and of the short chain, each after a call that is not counted."""
    longer, shorter = (dag_test(f"chain_{tasks}") for tasks in (LONG, SHORT))
    return (longer - shorter) / (LONG - SHORT)


def parsed(dag_id: str) -> Any:
    """Return a DAG as the user's own import gives it: one file, and no more."""
    from airflow.dag_processing.dagbag import DagBag

    file = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"], f"{dag_id}.py")
    return DagBag(str(file)).dags[dag_id]


def tested(dag: Any, date: str) -> float:
    """Call `dag.test()` for a date; the seconds."""
    import pendulum

    ended: list[Any] = []
    taken = timed(lambda: ended.append(dag.test(logical_date=pendulum.parse(date))))
    if str(ended[0].state) != "success":
        raise BenchError(f"dag.test() of {dag.dag_id} ended as {ended[0].state}")
    return taken
