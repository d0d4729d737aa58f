"""What the resident Spark writes is recorded, refused and cut like anybody else's."""

from __future__ import annotations

import os
import secrets

import pytest

from harness import faults
from harness.engines.jars import cache_dir
from harness.environment.service import S3Spec, SparkSpec
from harness.environment.spec import AirflowSpec
from harness.models.service import ServiceRef
from harness.services.registry import bind
from harness.session.fleet import Fleet
from harness.session.naming import airflow_variables

AIRFLOW = AirflowSpec.model_validate({"variables": {"bucket": {"service": "s3", "bucket": "lake"}}})
SPECS = {"s3": ("s3", S3Spec(buckets=["lake"], server="moto")), "spark": ("spark", SparkSpec(packages=["delta", "s3"]))}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spark")
    made = Fleet(SPECS, folder=folder, cache=cache_dir(), project=folder, session=f"faults-spark-{os.getpid()}")
    made.start(lambda event: None)
    for service in made.services.values():
        service.prepare()
    yield made
    made.stop()


@pytest.fixture
def lake(fleet, run_dag, tmp_path):
    """A namespace in which the DAG is run; `rows()` counts what its table holds then."""
    prefix = f"n{secrets.randbelow(10**6)}"  # as a session calls its namespaces
    made = {name: bind(name, name, one.spec, one.endpoint, one.open(prefix)) for name, one in fleet.services.items()}
    refs = {
        name: ServiceRef(role=name, spec=one.spec.model_dump(mode="json"), endpoint=one.endpoint, slice=one.slice)
        for name, one in made.items()
    }

    class Lake:
        bucket = made["s3"].physical("lake")

        def run(self, **request):
            environ = airflow_variables(AIRFLOW, made)
            return run_dag("deltas", services=refs, environ=environ, airflow=AIRFLOW, snapshot=False, **request)

        def folder(self, name):
            return tmp_path / name

        def rows(self):
            return [(one.name, one.rows) for one in made["s3"].snapshot() if one.kind == "delta"]

    yield Lake()
    for one in made.values():
        one.close()


def commits(report):
    targets = [(one.ordinal, one.target) for one in report.runs[0].writes]
    return [ordinal for ordinal, target in targets if "/_delta_log/0" in target and target.endswith(".json")]


def test_files_and_commit_of_a_delta_table_are_recorded(lake):
    with faults.recorded():
        report = lake.run()
    assert report.passed, report.reasons
    targets = [one.target for one in report.runs[0].writes]
    assert any(target.endswith(".parquet") for target in targets)
    assert len(commits(report)) == 1
    assert all(target.startswith(f"{lake.bucket}/table") for target in targets)


def test_task_that_is_killed_before_the_commit_adds_no_rows(lake):
    lake.run(folder=lake.folder("first"))
    with faults.recorded():
        plain = lake.run(folder=lake.folder("second"))
    (commit,) = commits(plain)
    with faults.kill("append", at_write=commit - 1, attempt=None):
        report = lake.run(folder=lake.folder("third"))
    assert all(one.error.startswith("killed by SIGKILL") for one in report.runs[0].task("append").tries)
    assert lake.rows() == [("lake/table", 6)]


def test_store_that_is_away_fails_the_task_and_is_back_for_the_next_try(lake):
    with faults.outage("s3", during="append"):
        report = lake.run()
    assert [one.state for one in report.runs[0].task("append").tries] == ["failed", "success"]
    assert lake.rows() == [("lake/table", 3)]


def test_spark_reaches_the_store_directly_after_a_run_with_faults(lake):
    with faults.recorded():
        lake.run()
    assert lake.run(folder=lake.folder("second")).passed
    assert lake.rows() == [("lake/table", 6)]
