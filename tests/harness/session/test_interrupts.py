from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from harness.session import reaper, records
from tests.patience import eventually

PROOFS = Path(__file__).parents[1] / "proofs" / "project"

SLEEPER = """
import time
from datetime import datetime
from airflow.sdk import dag, task

@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def sleeps():
    @task
    def sleep():
        print("asleep", flush=True)
        time.sleep(600)

    sleep()

sleeps()
"""

SPARK_JOB = """
from datetime import datetime
from airflow.sdk import dag, task

@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def computes():
    @task
    def compute():
        from pyspark.sql import SparkSession

        spark = SparkSession.builder.getOrCreate()
        print("computing", flush=True)
        spark.range(10**13).selectExpr("sum(hash(id))").collect()

    compute()

computes()
"""

BOTH = pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


def interrupt_run(project: Path, dag: str, source: str, said: str, signum: signal.Signals) -> tuple[int, str]:
    """Start `harness run`, signal it when its task has said something, and return its exit code and its session."""
    (project / "dags").mkdir(exist_ok=True)
    (project / "dags" / f"{dag}.py").write_text(source)
    run = subprocess.Popen(
        [sys.executable, "-m", "harness", "run", dag], cwd=project, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    log = await_log(project, said, run)
    (record,) = records.records()
    run.send_signal(signum)
    run.communicate(timeout=60)
    assert said in log
    return run.returncode, record.id


def await_log(project: Path, said: str, run: subprocess.Popen[bytes]) -> str:
    """Wait until a task's log holds the words; the test's own time limit bounds it."""
    while True:
        for path in project.glob(".harness/runs/*/**/*.log"):
            if said in (text := path.read_text(errors="replace")):
                return text
        if run.poll() is not None:
            pytest.fail(f"the run ended by itself: {run.communicate()[1].decode()}")
        time.sleep(0.05)


@BOTH
def test_a_signal_during_a_run_leaves_nothing(project: Path, gone: Callable[..., bool], signum: signal.Signals) -> None:
    code, session = interrupt_run(project, "sleeps", SLEEPER, "asleep", signum)
    assert code == EXIT_CODES[signum]
    assert gone(session)


@pytest.mark.slow
@BOTH
def test_a_signal_during_a_spark_job_leaves_nothing(
    project: Path, gone: Callable[..., bool], signum: signal.Signals
) -> None:
    (project / "environments" / "dev.yaml").write_text("stage: dev\nservices:\n  spark: {}\n")
    code, session = interrupt_run(project, "computes", SPARK_JOB, "computing", signum)
    assert code == EXIT_CODES[signum]
    assert gone(session)


@pytest.mark.slow
@BOTH
def test_a_signal_during_a_proof_leaves_nothing(
    tmp_path: Path, gone: Callable[..., bool], signum: signal.Signals
) -> None:
    project = shutil.copytree(PROOFS, tmp_path / "proved", ignore=shutil.ignore_patterns(".harness"))
    proof = subprocess.Popen(
        [sys.executable, "-m", "harness", "prove", "keeps", "--property", "atomic"],
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert eventually(lambda: any(has_proxy(record.id) for record in records.records()), within=120)
    (record,) = records.records()
    proof.send_signal(signum)
    assert proof.wait(timeout=60) == EXIT_CODES[signum]
    assert gone(record.id)


def has_proxy(session: str) -> bool:
    """Tell whether a fork of the session's fork server listens on a TCP port, as the proxy of a run's faults does."""
    return any(map(listens, reaper.processes_of(session)))


def listens(process: psutil.Process) -> bool:
    try:
        forked = "harness.session.forkserver" in process.cmdline()
        return forked and any(line.status == psutil.CONN_LISTEN for line in process.net_connections("tcp"))
    except psutil.Error:  # it ended meanwhile
        return False
