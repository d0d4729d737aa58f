"""What a DAG asks of others, by call or by mail, is an outcome as its tables are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.api import Session
from harness.environment import Environment
from harness.models.proof import ProofResult
from harness.proofs import prove

PROJECT = Path(__file__).parent / "outcomes"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    environment = Environment.load("dev", folder=PROJECT / "environments")
    with Session(environment, dags=PROJECT / "dags") as opened:
        yield opened


def decide(session: Session, dag_id: str, name: str) -> ProofResult:
    return prove(session, [dag_id], [name]).dags[0].proof(name)


@pytest.mark.parametrize(
    ("dag_id", "name", "word"),
    [
        ("pays_with_a_new_key", "rerun", "partner POST /v1/payouts: 1 call added"),
        ("pays_with_a_new_key", "atomic", "partner POST /v1/payouts: 1 call added"),
        ("pays_before_the_check", "atomic", "although check failed after that"),
        ("mails_before_the_check", "atomic", "desk@example.org: 1 message added"),
        ("mails_after_the_check", "rerun", "desk@example.org: 1 message added"),
    ],
)
def test_what_is_asked_too_often_or_too_early_is_refuted(session: Session, dag_id: str, name: str, word: str) -> None:
    result = decide(session, dag_id, name)

    assert result.outcome == "refuted", result.reason
    assert word in " ".join(result.differences)


@pytest.mark.parametrize(
    ("dag_id", "name"),
    [
        ("pays_with_its_own_key", "rerun"),
        ("pays_with_its_own_key", "atomic"),
        ("pays_with_its_own_key", "outage"),
        ("pays_and_logs_in", "rerun"),
        ("pays_after_the_check", "atomic"),
        ("puts_what_it_is", "rerun"),
    ],
)
def test_what_is_asked_once_and_in_time_holds(session: Session, dag_id: str, name: str) -> None:
    result = decide(session, dag_id, name)

    assert result.outcome == "holds", (result.reason, result.differences)
    assert any(word.startswith("http: partner P") for word in result.judged)


def test_a_call_that_is_not_declared_is_told_and_not_judged(session: Session) -> None:
    report = session.run("pays_and_logs_in", date="2026-01-01")

    assert report.passed, report.reasons
    assert [one.name for one in report.runs[0].outputs] == ["partner POST /login", "partner POST /v1/payouts"]
