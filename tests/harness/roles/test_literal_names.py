"""What stands in the code is what a DAG reaches: it must be the namespace's own, on every engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.api import Session
from harness.environment import Environment
from harness.errors import ConfigError
from harness.models.service import ServiceEvent
from harness.proofs import prove

pytestmark = pytest.mark.timeout(600)

PROJECT = Path(__file__).with_name("literal")
DAY = "2026-01-02"


def load(name: str, engine: str) -> Environment:
    os.environ["ENGINE"] = engine
    try:
        return Environment.load(name, folder=PROJECT / "environments")
    finally:
        del os.environ["ENGINE"]


@pytest.fixture(scope="module")
def stores(engine: str) -> Iterator[Session]:
    with Session(load("dev", engine)) as opened:
        yield opened


@pytest.fixture(scope="module")
def driver(engine: str) -> Iterator[Session]:
    with Session(load("spark", engine)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("dag_id", "added"),
    [
        ("to_a_bucket", "landing/raw/2026-01-02/"),
        ("to_a_database", "warehouse.public.visits"),
        ("to_a_topic", "orders"),
    ],
)
def test_what_a_second_run_adds_under_a_literal_name_is_found(stores: Session, dag_id: str, added: str) -> None:
    (proofs,) = prove(stores, [dag_id], ["rerun"]).dags

    (rerun,) = proofs.proofs
    assert rerun.outcome == "refuted"
    assert [difference for difference in rerun.differences if difference.startswith(added)]


@pytest.mark.parametrize("dag_id", ["to_a_bucket", "to_a_database", "to_a_topic"])
def test_two_at_once_do_not_see_each_other(stores: Session, dag_id: str) -> None:
    with stores.namespace_for(dag_id) as one:
        first = stores.run(dag_id, namespace=one, date=DAY)
        with stores.namespace_for(dag_id) as other:
            second = stores.run(dag_id, namespace=other, date=DAY)

    assert [report.verdict for report in (first, second)] == ["pass", "pass"]
    assert [len(report.runs[0].outputs) for report in (first, second)] == [1, 1]
    assert {report.runs[0].outputs[0].rows_before for report in (first, second)} == {0}


def test_nothing_is_left_for_the_next_one(stores: Session) -> None:
    for dag_id in ("to_a_bucket", "to_a_database", "to_a_topic"):
        stores.run(dag_id, date=DAY)

    with stores.namespace(alone=["s3", "postgres", "kafka"]) as fresh:
        held = [(one.name, one.rows) for service in fresh.services.values() for one in service.snapshot()]

    assert held == [("orders", 0)]


def test_a_spark_job_with_literal_names_is_compared_and_apart(driver: Session) -> None:
    with driver.namespace_for("to_a_lake") as one:
        first = driver.run("to_a_lake", namespace=one, date=DAY)
        again = driver.run("to_a_lake", namespace=one, date=DAY)
    with driver.namespace_for("to_a_lake") as other:
        second = driver.run("to_a_lake", namespace=other, date=DAY)

    assert [report.verdict for report in (first, again, second)] == ["pass"] * 3
    counted = [report.runs[0].task("append").xcoms["return_value"] for report in (first, again, second)]
    assert counted == [1, 3, 1]
    changed = [
        {one.name: (one.rows_before, one.rows_after) for one in report.runs[0].outputs}
        for report in (first, again, second)
    ]
    assert changed == [
        {"lake/visits": (0, 1), "silver.visits": (0, 1)},
        {"lake/visits": (1, 2), "silver.visits": (1, 3)},
        {"lake/visits": (0, 1), "silver.visits": (0, 1)},
    ]


def test_a_name_that_nobody_could_foresee_ends_the_run_by_name(stores: Session) -> None:
    with stores.namespace() as shared:
        report = stores.run("to_a_name_that_is_made_up", namespace=shared, date=DAY)
        shared.services["s3"].client.delete_object(Bucket="some-where", Key="left.txt")
        shared.services["s3"].client.delete_bucket(Bucket="some-where")

    assert report.verdict == "fail"
    assert "wrote outside its namespace: bucket 'some-where' of s3" in report.reasons[0]


def test_a_namespace_that_renames_is_refused_to_code_with_names(stores: Session) -> None:
    with stores.namespace() as shared, pytest.raises(ConfigError, match=r"bucket 'landing' \(dags/stores.py:\d+\)"):
        stores.run("to_a_bucket", namespace=shared, date=DAY)


HOLD = """
import sys
from pathlib import Path
from harness.api import Session
from harness.environment import Environment
with Session(Environment.load("dev", folder=Path("environments").resolve())) as session:
    with session.namespace(alone=["s3"]), session.namespace(alone=["s3"]), session.namespace(alone=["s3"]):
        print("all of them", flush=True)
        sys.stdin.readline()
"""


def test_who_waits_says_for_whom(engine: str) -> None:
    told: list[ServiceEvent] = []
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=PROJECT,
        env={**os.environ, "ENGINE": engine},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline().strip() == "all of them"

    def hear(event: ServiceEvent) -> None:
        told.append(event)
        if event.phase == "waiting":
            holder.stdin.close()  # type: ignore[union-attr]

    with Session(load("dev", engine), on_event=hear) as session, session.namespace(alone=["s3"]) as mine:
        assert mine.alone == {"s3"}
    holder.wait(60)

    waiting = [event.detail for event in told if event.phase == "waiting"]
    assert f"process {holder.pid}" in waiting[0]
