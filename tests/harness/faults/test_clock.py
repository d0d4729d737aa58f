"""Tasks see another time; Airflow does not."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from harness import faults
from harness.engines.jars import cache_dir
from harness.engines.shifted import libfaketime
from harness.environment.spec import PostgresSpec, S3Spec, SmtpSpec, SparkSpec
from harness.session.fleet import Fleet

DAY = 86400
#: seconds that a run may take on a busy machine
SLACK = 3600


def looked(report):
    assert report.passed, report.reasons
    return report.runs[0].task("look").xcoms["return_value"]


def test_task_sees_a_shifted_clock(run_dag):
    with faults.clock(days=3):
        seen = looked(run_dag("clocks"))
    for name in ("now", "time"):
        assert 3 * DAY <= seen[name] - time.time() + SLACK < 3 * DAY + SLACK + 1


def test_task_begins_at_a_moment(run_dag):
    then = datetime(2020, 2, 29, 23, 59, tzinfo=UTC)
    with faults.clock(at=then):
        seen = looked(run_dag("clocks"))
    assert then.timestamp() <= seen["now"] < then.timestamp() + SLACK


needs_libfaketime = pytest.mark.skipif(libfaketime() is None, reason="libfaketime is not installed here")


@needs_libfaketime
def test_programs_that_a_task_starts_see_it_too(run_dag):
    with faults.clock(days=3):
        seen = looked(run_dag("clocks"))
    assert min(seen["program"], seen["python"]) > time.time() + 2 * DAY


def test_retry_is_due_by_the_real_clock(run_dag):
    with faults.clock(days=300), faults.fail("look", after=True):
        report = run_dag("clocks")
    assert looked(report)
    assert [one.state for one in report.runs[0].task("look").tries] == ["failed", "success"]
    ended = report.runs[0].task("look").start
    assert abs(ended.timestamp() - time.time()) < SLACK


def test_clock_is_told_among_what_fired_but_not_for_sensors(run_dag):
    with faults.clock(days=1):
        report = run_dag("clocks")
    assert [(fired.task, str(fired.fault)) for fired in report.runs[0].fired] == [("look", "the clock is +86400 s off")]


def test_clock_needs_a_time_zone():
    with pytest.raises(ValidationError, match="needs a time zone"), faults.clock(at=datetime(2020, 1, 1)):
        pass


@needs_libfaketime
@pytest.mark.timeout(600)
def test_services_live_at_another_time(tmp_path):
    shift = {"clock": 400 * DAY}
    specs = {
        "postgres": ("postgres", PostgresSpec(**shift)),
        "s3": ("s3", S3Spec(server="moto", buckets=["lake"], **shift)),
        "smtp": ("smtp", SmtpSpec(**shift)),
        "spark": ("spark", SparkSpec(packages=["delta"], start_timeout=300, **shift)),
    }
    fleet = Fleet(specs, folder=tmp_path, cache=cache_dir(), project=tmp_path, session="another-time")
    fleet.start(lambda event: None)
    for service in fleet.services.values():
        service.prepare()
    try:
        services = fleet.services
        (of_postgres,) = services["postgres"].client.execute("SELECT extract(epoch FROM now())").fetchone()
        services["s3"].client.put_object(Bucket="lake", Key="a", Body=b"")
        of_s3 = services["s3"].client.head_object(Bucket="lake", Key="a")["LastModified"].timestamp()
        of_spark = services["spark"].client.sql("SELECT unix_timestamp()").first()[0]
        services["spark"].release()
    finally:
        fleet.stop()
    for seen in (float(of_postgres), of_s3, of_spark):
        assert 399 * DAY < seen - time.time() < 401 * DAY
