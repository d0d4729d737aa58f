from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import date
from typing import Any

import pytest

from environments.seeds.event_relay import LINE_HEADER
from environments.sources.event_feed_oracle import Expected, Line, expected
from environments.sources.events import VOLUMES, EventSource
from harness import expect_topic
from jobs.relay.letters import Letter

pytestmark = [pytest.mark.slow, pytest.mark.needs("kafka", "http")]

DAG = "event_relay"
DAY_1, DAY_2, DAY_3 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)
#: three days out of order, and one of them again
after_three_days = pytest.mark.dag_runs(DAG, DAY_3, DAY_1, DAY_2, DAY_1)
GREEN = {"relay": "success", "replay": "skipped", "audit": "success"}


@pytest.fixture
def source(environment):
    return EventSource(environment.spec.data.seed, VOLUMES[environment.spec.data.volume])


@pytest.fixture
def must_hold(kafka):
    """Compares the topics with the oracle, message by message."""

    def compare(wanted: Expected, answered: Collection[Line] = ()) -> None:
        expect_topic(kafka, "events_clean", [(event["session_id"], event) for event in wanted.clean.values()])
        # a letter that was worked off stays in the topic; of two for one record the later counts
        letters = {line_of(one): Letter.from_json(one.value) for one in kafka.client.read("events_dead")}
        found = {line: (one.error_type, one.retry_count, one.original) for line, one in letters.items()}
        assert {line: letter for line, letter in found.items() if line not in answered} == wanted.dead

    return compare


@after_three_days
def test_every_event_of_three_days_is_relayed_once_or_dead_with_a_reason(dag_runs, source, must_hold):
    assert [report.reasons for report in dag_runs if not report.passed] == []
    assert [run.states for report in dag_runs for run in report.runs] == [GREEN] * 4
    wanted = expected(source, [DAY_1, DAY_2, DAY_3])
    must_hold(wanted)
    assert dag_runs[-1].runs[0].task("audit").xcoms["return_value"] == {
        "taken": 3 * source.events,
        "waiting": 0,
        "relayed": len(wanted.clean),
        "dead": len(wanted.dead),
    }
    assert len(wanted.clean) + len(wanted.dead) == 3 * source.events
    assert Counter(reason for reason, _, _ in wanted.dead.values()).keys() == {"InvalidRecord", "TemporaryError"}


@after_three_days
def test_running_a_day_again_changes_nothing(dag_runs):
    (again,) = dag_runs[-1].runs

    assert again.outputs == ()
    assert again.task("relay").xcoms["return_value"] == {"read": 0, "relayed": 0, "dead": 0, "transactions": 0}


@pytest.mark.stages("dev")
def test_a_replay_works_off_what_has_been_repaired_and_counts_the_attempts(run_dag, source, must_hold, kafka):
    run_dag(DAG, date=str(DAY_1))
    report = run_dag(DAG, date=str(DAY_1), conf={"replay": True})

    assert report.passed, report.reasons
    assert report.runs[0].states == GREEN | {"replay": "success"}
    before, after = expected(source, [DAY_1]), expected(source, [DAY_1], replays=1)
    replayed = report.runs[0].task("replay").xcoms["return_value"]
    assert replayed["read"] == len(before.dead)
    assert replayed["relayed"] == len(before.dead) - len(after.dead) > 0
    assert {reason for reason, _, _ in after.dead.values()} == {"InvalidRecord"}
    must_hold(after, answered=before.dead.keys() - after.dead.keys())


def line_of(message: Any) -> Line:
    day, _, number = dict(message.headers)[LINE_HEADER].decode().partition("/")
    return date.fromisoformat(day), int(number)


@pytest.mark.proofs
@pytest.mark.stages("dev")
def test_a_run_can_be_made_again_and_interrupted_and_no_task_fails_unseen(prove_dag):
    prove_dag("event_relay", "rerun", "masked", "atomic")
