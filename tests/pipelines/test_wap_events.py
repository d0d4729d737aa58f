from __future__ import annotations

from datetime import date
from itertools import combinations

import pytest
from deltalake import DeltaTable

from environments.seeds.wap_events import as_file, put_day, put_users
from environments.sources.events import VOLUMES, EventSource
from harness import expect_table
from harness._compat.dagbag import load_dag_bag
from harness.services.smtp import text

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres", "s3", "spark", "smtp")]

DAG, FILE = "wap_events", "wap/wap_events.py"
DAY_1, DAY_2, DAY_3 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)
AUDITS = [f"audit_{name}" for name in ("row_count", "unique_key", "no_nulls", "allowed_values", "references")]
GREEN = dict.fromkeys(["write_staging", *AUDITS, "publish"], "success") | {"quarantine": "skipped"}
COLUMNS = ["event_id", "user_id", "session_id", "event_type", "revenue", "timestamp", "event_date"]
#: three days out of order, and one of them again
after_three_days = pytest.mark.dag_runs(DAG, DAY_3, DAY_1, DAY_2, DAY_1)
#: the catalogue of the click stream says how many of a day's rows are sound
SOUND = {"dev": 477, "test": 9_534, "acc": 190_666}


@pytest.fixture
def source(environment):
    return EventSource(environment.spec.data.seed, VOLUMES[environment.spec.data.volume])


def red(*audits):
    """Return the states of a run in which these audits refuse the day."""
    refused = dict.fromkeys([f"audit_{name}" for name in audits], "failed")
    return GREEN | refused | {"publish": "upstream_failed", "quarantine": "success"}


def sound(source, *days):
    """Return what is published for these days, from the source's rows alone."""
    rows = {}
    for day in days:
        for one in source.rows(day):
            if one.user_id is not None and one.event_type != "scroll":
                values = (one.user_id, one.session_id, one.event_type, one.revenue, one.timestamp, day)
                rows[one.event_id] = (one.event_id, *values)
    return list(rows.values())


@pytest.fixture
def must_be_published(s3, source, environment):
    """Compares the published table with the source's sound rows of exactly these days."""

    def compare(*days):
        wanted = sound(source, *days)
        assert len(wanted) == SOUND[environment.spec.data.volume] * len(days)
        expect_table(s3, "lake/wap/events_published", wanted, columns=COLUMNS, key="event_id")

    return compare


@pytest.fixture
def deliver(s3, postgres, source):
    """Puts a day's file in place with some of its lines changed: `deliver(day, lambda lines: lines[:10])`."""

    def put(day, change):
        put_users(postgres.client_for("warehouse"), source, day)
        put_day(s3, day, b"\n".join(change(as_file(source, day).splitlines())))

    return put


def with_a_swipe(lines):
    """Give one sound event a type that nobody agreed on."""
    number = next(n for n, line in enumerate(lines) if b'"view"' in line and b"null" not in line)
    return [*lines[:number], lines[number].replace(b'"view"', b'"swipe"'), *lines[number + 1 :]]


def must_pass(report):
    assert report.verdict == "pass", report.reasons
    assert all(run.states == GREEN for run in report.runs)


def versions(s3):
    """Return the days of each version of the published table, and how many rows each has; all that was ever visible."""
    where, options = f"s3://{s3.physical('lake')}/wap/events_published", s3.storage_options()
    for number in range(DeltaTable(where, storage_options=options).version() + 1):
        table = DeltaTable(where, version=number, storage_options=options)
        days = table.to_pyarrow_table(columns=["event_date"])["event_date"].to_pylist()
        yield {day: days.count(day) for day in set(days)}


@after_three_days
def test_three_days_are_audited_and_published_in_whichever_order_they_come(dag_runs, must_be_published, smtp):
    for report in dag_runs:
        must_pass(report)
    must_be_published(DAY_1, DAY_2, DAY_3)
    assert smtp.messages() == []


@after_three_days
def test_running_a_day_again_changes_nothing(dag_runs):
    assert dag_runs[-1].runs[0].outputs == ()


@after_three_days
def test_the_published_table_never_held_half_a_day(s3, environment):
    whole = SOUND[environment.spec.data.volume]
    assert all(set(seen.values()) == {whole} for seen in versions(s3))


def must_be_refused(report, must_be_published):
    """The run is failed, and the day that was published before is all that is published."""
    assert report.verdict == "fail"
    assert report.runs[0].states == red("allowed_values")
    must_be_published(DAY_1)


@pytest.mark.stages("dev")
def test_a_refused_day_is_set_aside_told_once_and_published_when_it_is_repaired(  # noqa: PLR0917 - fixtures
    run_dag, deliver, must_be_published, s3, smtp, source
):
    must_pass(run_dag(DAG, date=str(DAY_1)))
    deliver(DAY_2, with_a_swipe)

    for _ in range(2):
        must_be_refused(run_dag(DAG, date=str(DAY_2), seed=False), must_be_published)

    (mail,) = smtp.messages(to="operators@example.org")
    assert mail["Subject"] == f"Events of {DAY_2} are not published"
    rows = len(sound(source, DAY_2))
    assert f"{rows} rows are in quarantine" in text(mail)
    assert "allowed_values: 1 types: swipe" in text(mail)
    kept = DeltaTable(f"s3://{s3.physical('lake')}/wap/quarantine/events", storage_options=s3.storage_options())
    assert kept.to_pyarrow_table()["event_type"].to_pylist().count("swipe") == 1
    assert kept.to_pyarrow_table().num_rows == rows

    must_pass(run_dag(DAG, date=str(DAY_2)))
    must_be_published(DAY_1, DAY_2)


@pytest.mark.stages("dev")
def test_publishing_whatever_the_audits_say_would_show_the_refused_day(run_dag, run_trap, deliver, must_be_published):
    must_pass(run_dag(DAG, date=str(DAY_1)))
    deliver(DAY_2, with_a_swipe)
    mistakes = {
        '@task(pool="spark")\ndef publish': '@task(pool="spark", trigger_rule="all_done")\ndef publish',
        "if len(set(audited)) != 1:": "audited = [one for one in audited if one is not None]\n    if not audited:",
    }

    report = run_trap(DAG, FILE, mistakes, date=str(DAY_2), seed=False)

    assert report.runs[0].states["publish"] == "success"
    with pytest.raises(AssertionError):
        must_be_published(DAY_1)


@pytest.mark.stages("dev")
def test_a_refused_day_in_staging_is_no_business_of_another_days_audits(run_dag, run_trap, deliver):
    deliver(DAY_1, with_a_swipe)
    run_dag(DAG, date=str(DAY_1), seed=False)

    whole_table = {"rows = of_day(": "rows = (lambda table, day: table.to_pyarrow_table())("}
    trapped = run_trap(DAG, FILE, whole_table, date=str(DAY_2))

    with pytest.raises(AssertionError):
        must_pass(trapped)
    assert {"audit_row_count", "audit_allowed_values"} & {
        name for name, state in trapped.runs[0].states.items() if state == "failed"
    }
    must_pass(run_dag(DAG, date=str(DAY_2)))


@pytest.mark.stages("dev")
def test_an_empty_day_is_refused_by_its_number_of_rows(run_dag, deliver, smtp):
    deliver(DAY_1, lambda lines: [])

    report = run_dag(DAG, date=str(DAY_1), seed=False)

    assert report.runs[0].states == red("row_count")
    assert "row_count: 0 rows, agreed are" in text(smtp.messages()[0])


@pytest.mark.stages("dev")
def test_a_day_that_was_not_delivered_fails_before_any_audit_and_tells_of_no_refusal(run_dag, smtp):
    report = run_dag(DAG, date=str(DAY_1), seed=False)

    assert report.verdict == "fail"
    assert report.runs[0].states == dict.fromkeys([*AUDITS, "publish"], "upstream_failed") | {
        "write_staging": "failed",
        "quarantine": "skipped",
    }
    assert "PATH_NOT_FOUND" in report.runs[0].task("write_staging").tries[-1].error
    assert smtp.messages() == []


def publishes_only_what_was_audited(folder):
    """Tell by the graph alone: only audits come before `publish`, all must be green, and none reads another's work."""
    dag = load_dag_bag(folder).dags[DAG]
    publish = dag.get_task("publish")
    assert publish.trigger_rule == "all_success"
    assert publish.upstream_task_ids == set(AUDITS)
    assert all(dag.get_task(audit).upstream_task_ids == {"write_staging"} for audit in AUDITS)
    assert not any(a in dag.get_task(b).upstream_task_ids for a, b in combinations(AUDITS, 2))


def test_the_graph_publishes_only_what_was_audited(dags_folder):
    publishes_only_what_was_audited(dags_folder / "wap")


@pytest.mark.parametrize(
    "mistakes",
    [
        pytest.param(
            {'@task(pool="spark")\ndef publish': '@task(pool="spark", trigger_rule="all_done")\ndef publish'},
            id="publish under all_done",
        ),
        pytest.param({"publish(audited)": "publish([version])"}, id="publish beside the audits"),
        pytest.param({"publish(audited)": "publish(audited[1:])"}, id="an audit that publish does not wait for"),
    ],
)
def test_a_graph_that_publishes_more_is_refused(mistakes, trap_version):
    with pytest.raises(AssertionError):
        publishes_only_what_was_audited(trap_version(FILE, mistakes))


@pytest.mark.proofs
@pytest.mark.stages("dev")
def test_a_day_can_be_run_again(prove_dag):
    prove_dag("wap_events", "rerun")
