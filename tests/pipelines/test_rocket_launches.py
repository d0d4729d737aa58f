from __future__ import annotations

import json
from datetime import date

import pytest

from environments.sources.rockets import QUIET, VOLUMES, RocketSource
from environments.sources.rockets_oracle import expected
from harness import expect_objects
from harness.services.smtp import recipients, text

pytestmark = [pytest.mark.slow, pytest.mark.needs("s3", "http", "smtp")]

DAG, FILE = "rocket_launches", "rockets/rocket_launches.py"
DAY_1, DAY_2, DAY_3 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)
#: three days out of order, and one of them again
after_three_days = pytest.mark.dag_runs(DAG, DAY_3, DAY_1, DAY_2, DAY_1)
GREEN = dict.fromkeys(["download_launches", "get_pictures", "notify"], "success")


@pytest.fixture
def source(environment):
    return RocketSource(environment.spec.data.seed, VOLUMES[environment.spec.data.volume])


@pytest.fixture
def must_hold(s3, source):
    """Compares pictures and manifest with the oracle's, for exactly these days."""

    def compare(*days):
        pictures = {
            f"{day}/pictures/{key}": body for day in days for key, body in expected(source, day).pictures.items()
        }
        notes = {f"{day}/{name}.json": None for day in days for name in ("launches", "manifest", "notified")}
        expect_objects(s3, "landing/rockets/", pictures | notes)
        for day in days:
            wanted, manifest = expected(source, day), manifest_of(s3, day)
            assert set(manifest["pictures"]) == set(wanted.pictures)
            assert {one["launch"]: one["reason"] for one in manifest["problems"]} == wanted.problems

    return compare


@pytest.fixture
def must_tell(smtp, source):
    """Compares the mails with the oracle's counts: one for each of these days, in any order, and no other."""

    def compare(*days):
        found = {one["Subject"]: text(one) for one in smtp.messages()}
        assert len(found) == len(smtp.messages())
        assert found == {subject_of(source, day): f"<pre>{body_of(source, day)}</pre>" for day in days}
        assert {address for one in smtp.messages() for address in recipients(one)} <= {"operators@example.org"}

    return compare


@pytest.fixture
def fault(http):
    """Scripts an outage of the library or of the hosts of its pictures, for this test alone."""

    def script(path, status, **more):
        http.client.post("/rockets/faults", json={"path": path, "status": status, **more}).raise_for_status()

    return script


def subject_of(source, day):
    return f"Rocket launches of {day}: {len(expected(source, day).pictures)} pictures"


def body_of(source, day):
    wanted = expected(source, day)
    reasons = [f"{reason}: {count}" for reason, count in sorted(wanted.reasons.items())]
    return "\n".join([f"{wanted.launches} launches, {len(wanted.pictures)} pictures.", *reasons])


def manifest_of(s3, day):
    key = f"rockets/{day}/manifest.json"
    return json.loads(s3.client.get_object(Bucket=s3.physical("landing"), Key=key)["Body"].read())


def must_pass(report, states=GREEN):
    assert report.verdict == "pass", report.reasons
    assert all(run.states == states for run in report.runs)


@after_three_days
def test_three_days_of_launches_become_their_pictures_in_whichever_order_they_come(dag_runs, must_hold):
    for report in dag_runs:
        must_pass(report)
    must_hold(DAY_1, DAY_2, DAY_3)


@after_three_days
def test_each_day_is_told_once_however_often_it_is_run(dag_runs, must_tell):
    must_tell(DAY_1, DAY_2, DAY_3)
    assert dag_runs[-1].runs[0].outputs == ()


@pytest.mark.stages("dev")
def test_a_picture_of_an_earlier_try_is_removed_and_the_new_manifest_is_told(run_dag, s3, must_hold, must_tell):
    bucket = s3.physical("landing")
    s3.client.put_object(Bucket=bucket, Key=f"rockets/{DAY_1}/pictures/gone/x.jpg", Body=b"cancelled")
    s3.client.put_object(Bucket=bucket, Key=f"rockets/{DAY_1}/notified.json", Body=b'{"sent": "of that try"}')

    must_pass(run_dag(DAG, date=str(DAY_1)))

    must_hold(DAY_1)
    must_tell(DAY_1)


@pytest.mark.stages("dev")
def test_a_day_without_launches_has_an_empty_manifest_and_no_mail(run_dag, s3, smtp):
    must_pass(run_dag(DAG, date=str(QUIET)))

    manifest = {"day": str(QUIET), "pictures": {}, "problems": []}
    expect_objects(s3, f"landing/rockets/{QUIET}/", {"launches.json": [], "manifest.json": manifest})
    assert smtp.messages() == []


@pytest.mark.stages("dev")
def test_what_passes_is_waited_for(run_dag, fault, must_hold, must_tell):
    fault("/2.0.0/launch/", 429, times=1, headers={"Retry-After": "0"})
    fault("/2.0.0/launch/", 503, times=1)
    fault("/media/", 500, times=1)

    report = run_dag(DAG, date=str(DAY_1))

    must_pass(report)
    assert [len(task.tries) for task in report.runs[0].tasks] == [1, 1, 1]
    must_hold(DAY_1)
    must_tell(DAY_1)


def must_stop_at_the_library(report, s3, smtp):
    """The first task is the one that fails, and nothing is written of an answer that is none."""
    assert report.verdict == "fail"
    assert report.runs[0].states == dict.fromkeys(GREEN, "upstream_failed") | {"download_launches": "failed"}
    expect_objects(s3, "landing/rockets/", {})
    assert smtp.messages() == []


@pytest.mark.stages("dev")
def test_an_outage_of_the_library_fails_its_own_task_and_writes_nothing(run_dag, fault, s3, smtp):
    fault("/2.0.0/launch/", 404)

    report = run_dag(DAG, date=str(DAY_1))

    must_stop_at_the_library(report, s3, smtp)
    assert "404" in report.runs[0].task("download_launches").tries[-1].error


ASKED = "launches = launches_between(client, data_interval_start, data_interval_end)"


@pytest.mark.stages("dev")
def test_an_answer_whose_status_is_not_looked_at_would_fail_another_task(run_trap, fault, s3, smtp):
    fault("/2.0.0/launch/", 404, headers={"Content-Type": "application/json"})

    report = run_trap(DAG, FILE, {ASKED: "launches = client.get('/2.0.0/launch/').text"}, date=str(DAY_1))

    with pytest.raises(AssertionError):
        must_stop_at_the_library(report, s3, smtp)
    assert report.runs[0].states["download_launches"] == "success"
    assert report.runs[0].states["get_pictures"] == "failed"


@pytest.mark.stages("dev")
def test_a_client_that_does_not_follow_redirects_would_get_no_launches(run_trap, must_hold):
    stays = 'http_client("launch_library") as client:\n        client.follow_redirects = False'
    report = run_trap(DAG, FILE, {'http_client("launch_library") as client:': stays}, date=str(DAY_1))

    with pytest.raises(AssertionError):
        must_pass(report)
    assert "301" in report.runs[0].task("download_launches").tries[-1].error


@pytest.mark.stages("dev")
def test_what_is_upcoming_today_would_be_fetched_for_every_day_of_a_backfill(run_trap, must_hold):
    upcoming = "launches = list(linked_pages(client, '/2.0.0/launch/upcoming'))"
    mistakes = {ASKED: upcoming, "import http_client": "import http_client, linked_pages"}

    must_pass(run_trap(DAG, FILE, mistakes, date=str(DAY_1)))

    with pytest.raises(AssertionError):
        must_hold(DAY_1)


@pytest.mark.stages("dev")
def test_a_path_that_runs_share_would_mix_their_days(run_trap, must_hold):
    shared = {"day_of(data_interval_start)": "__import__('datetime').date(2026, 1, 1)"}

    must_pass(run_trap(DAG, FILE, shared, from_=str(DAY_1), to=str(DAY_2)))

    with pytest.raises(AssertionError):
        must_hold(DAY_1, DAY_2)


def must_fail_without_a_mail(report, smtp):
    """An outage of the hosts is a failure with something to retry, and nobody is told of no pictures."""
    assert report.verdict == "fail"
    assert report.runs[0].states == GREEN | {"get_pictures": "failed", "notify": "upstream_failed"}
    assert smtp.messages() == []


@pytest.mark.stages("dev")
def test_an_outage_of_the_hosts_fails_the_pictures_and_the_next_run_gets_them(  # noqa: PLR0917 - fixtures
    run_dag, fault, http, smtp, must_hold, must_tell
):
    fault("/media/", 503)

    report = run_dag(DAG, date=str(DAY_1))

    must_fail_without_a_mail(report, smtp)
    assert "pictures could not be fetched: answer 503" in report.runs[0].task("get_pictures").tries[-1].error
    http.client.delete("/rockets/faults").raise_for_status()
    must_pass(run_dag(DAG, date=str(DAY_1)))
    must_hold(DAY_1)
    must_tell(DAY_1)


@pytest.mark.stages("dev")
def test_an_outage_that_is_caught_picture_by_picture_would_end_green_without_any(run_trap, fault, smtp):
    fault("/media/", 503)
    caught = "pictures, problems = [], [fetch(client, launch) for launch in launches]"
    mistakes = {"pictures, problems = fetch_all(client, launches)": caught, "import fetch_all": "import fetch"}

    report = run_trap(DAG, FILE, mistakes, date=str(DAY_1))

    with pytest.raises(AssertionError):
        must_fail_without_a_mail(report, smtp)
    assert report.verdict == "pass"


@pytest.mark.stages("dev")
def test_a_mail_server_that_is_busy_is_asked_again_and_gets_one_mail(run_dag, smtp, must_tell):
    smtp.refuse("451 4.3.0 try again later", times=1)

    report = run_dag(DAG, date=str(DAY_1))

    must_pass(report)
    assert [one.state for one in report.runs[0].task("notify").tries] == ["failed", "success"]
    must_tell(DAY_1)


@pytest.mark.proofs
@pytest.mark.stages("dev")
def test_a_day_can_be_run_again_and_no_task_fails_unseen(prove_dag):
    prove_dag("rocket_launches", "rerun", "masked")
