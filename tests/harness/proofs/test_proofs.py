from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from harness.api import Session
from harness.engines.shifted import libfaketime
from harness.environment import Environment
from harness.environment.spec import Property
from harness.errors import ConfigError, ServiceError
from harness.models.proof import Claim, ProofResult
from harness.proofs import PROPERTIES, prove, registry, replay
from harness.session import reaper
from harness.session.client import Namespace

PROJECT = Path(__file__).parent / "project"

#: DAG -> a property that its fault refutes, and a word of what differs
REFUTED = {
    "appends": ("rerun", "1 row added"),
    "counts_runs": ("order", "counted"),
    "halves": ("atomic", "halved"),
    "removes_beside": ("atomic", "beside"),
    "one_by_one": ("atomic", "warehouse is half written: warehouse.public.heads is new, warehouse.public.lines is old"),
    "swallows": ("masked", "although prepare failed"),
    "wipes": ("empty", "wiped"),
    "stands_alone": ("rerun", "'run 2026-01-02' fails: check failed"),
    "latest_wins": ("isolation", "latest"),
    "stages_together": ("concurrent", "staged_sales"),
    "stamps": ("clock", "stamped"),
    "tells": ("secrets", "the variable 'api_token' stands in an XCom of tell"),
    "waits": ("deadline", "the deadline of"),
}


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    environment = Environment.load("dev", folder=PROJECT / "environments")
    with Session(environment, dags=PROJECT / "dags") as opened:
        yield opened


@pytest.fixture(scope="module")
def quiet() -> Iterator[Session]:
    """A session that no other worker shares, to see what is left in it: other services ask for another daemon."""
    environment = Environment.load("dev", folder=PROJECT / "environments")
    mine = {"start_timeout": 100.0 + os.getpid() % 1000}
    own = {name: one.model_copy(update=mine) for name, one in environment.spec.services.items()}
    environment = dataclasses.replace(environment, spec=environment.spec.model_copy(update={"services": own}))
    with Session(environment, dags=PROJECT / "dags") as opened:
        yield opened


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait for what never comes is seen to have no end after seconds, instead of a minute."""
    monkeypatch.setattr("harness.proofs.lab.PATIENCE", 10.0)


def decide(session: Session, dag_id: str, name: str) -> ProofResult:
    return prove(session, [dag_id], [name]).dags[0].proof(name)


def needs_another_clock(name: str) -> None:
    if name == "clock" and libfaketime() is None:
        pytest.skip("libfaketime is not installed")


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_sound_dag_keeps_every_promise(session: Session, name: str) -> None:
    needs_another_clock(name)

    result = decide(session, "keeps", name)

    assert result.outcome == "holds", (result.reason, result.differences)
    assert result.checked > 0
    assert "postgres: warehouse.public.kept" in result.judged
    assert "kept" in result.reason


def test_tables_that_are_written_at_once_are_whole_although_a_commit_comes_before(session: Session) -> None:
    result = decide(session, "keeps_both", "atomic")

    assert result.outcome == "holds", (result.reason, result.differences)


def test_a_task_that_is_declared_to_be_skipped_does_not_make_a_skip_of_an_empty_date(session: Session) -> None:
    result = decide(session, "skips_as_declared", "empty")

    assert result.outcome == "holds", (result.reason, result.differences)


def test_a_failure_may_leave_branches_that_do_not_depend_on_it_new(session: Session) -> None:
    result = decide(session, "two_shops", "atomic")

    assert result.outcome == "holds", (result.reason, result.differences)


@pytest.mark.parametrize(("dag_id", "name", "word"), [(dag, *rest) for dag, rest in REFUTED.items()])
def test_a_fault_is_refuted_with_what_differs(session: Session, dag_id: str, name: str, word: str) -> None:
    needs_another_clock(name)

    result = decide(session, dag_id, name)

    assert result.outcome == "refuted", result.reason
    assert word in " ".join(result.differences)
    assert result.scenario


def test_a_date_that_fails_by_itself_leaves_all_undecided(session: Session) -> None:
    result = decide(session, "fails_on_the_second", "rerun")

    assert result.outcome == "undecided"
    assert "does not pass by itself (run 2026-01-02)" in result.reason


def test_nothing_holds_over_runs_that_change_no_output(session: Session) -> None:
    asked = ["rerun", "masked", "empty", "isolation", "secrets", "deadline"]
    (found,) = prove(session, ["publishes_never"], asked).dags

    assert {one.outcome for one in found.proofs} == {"undecided"}
    assert {one.judged for one in found.proofs} == {()}
    for one in found.proofs:
        assert one.reason.startswith("nothing was judged: no plain run changed anything of the declared outputs (wareh")


def test_a_dag_that_fails_by_itself_is_accused_of_nothing(session: Session) -> None:
    (found,) = prove(session, ["fails_always"]).dags

    assert {one.property: one.outcome for one in found.proofs} == dict.fromkeys(PROPERTIES, "undecided")
    for one in found.proofs:
        # without libfaketime, no clock is shifted to begin with
        assert one.property == "clock" or "does not pass by itself" in one.reason


def test_a_teardown_that_may_fail_hides_nothing(session: Session) -> None:
    result = decide(session, "removes_its_scratch", "masked")

    assert (result.outcome, result.checked) == ("holds", 2), (result.reason, result.differences)


def test_the_printed_test_fails_and_names_the_difference(session: Session) -> None:
    result = decide(session, "appends", "rerun")
    module: dict[str, object] = {}
    exec(compile(result.test, "printed", "exec"), module)

    with pytest.raises(AssertionError):
        module["test_appends_rerun"](session)  # type: ignore[operator]
    assert result.claim is not None
    assert "1 row added" in replay(session, "appends", result.claim)[0]


def test_a_sequence_shrinks_to_running_a_date_twice(session: Session) -> None:
    result = decide(session, "appends", "sequence")

    assert result.outcome == "refuted"
    assert len(result.scenario) == 2


def test_a_service_that_is_lost_ends_the_search_and_is_no_find(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Claim] = []

    def lose(_lab: object, claim: Claim) -> list[str]:
        asked.append(claim)
        raise ServiceError("does not answer", role="postgres")

    monkeypatch.setattr("harness.proofs.sequence.judge", lose)
    with pytest.raises(ServiceError, match="does not answer"):
        decide(session, "appends", "sequence")
    assert len(asked) == 1


def test_what_is_declared_is_skipped_with_its_reason(session: Session) -> None:
    result = decide(session, "waits", "order")

    assert (result.outcome, result.reason) == ("skipped", "it is about waiting")


def test_no_namespace_is_left(quiet: Session) -> None:
    with quiet.namespace() as used:
        before = databases(used)
        decide(quiet, "keeps", "masked")

        assert databases(used) == before


def databases(namespace: Namespace) -> list[str]:
    return [
        name for (name,) in namespace.services["postgres"].client.execute("SELECT datname FROM pg_database ORDER BY 1")
    ]


@pytest.mark.parametrize("seconds", [0.01, 2.0], ids=["before it begins", "behind a proxy"])
def test_a_proof_out_of_time_is_undecided_and_leaves_nothing(quiet: Session, seconds: float) -> None:
    with quiet.namespace() as used:
        before = databases(used), workers(quiet)
        report = prove(quiet, ["keeps"], ["atomic"], deadline=seconds)

        assert report.dags[0].proof("atomic").outcome == "undecided"
        assert report.verdict == "fail"
        assert (databases(used), workers(quiet)) == before


def workers(session: Session) -> list[int]:
    """Return the session's processes that are no service's: its daemon, its fork server and what that has forked."""
    return sorted(one.pid for one in reaper.processes_of(session.id) if one.name() != "postgres")


def test_an_unknown_property_is_named_with_its_neighbours() -> None:
    with pytest.raises(ConfigError, match="no property 'rerunn'") as caught:
        registry.find("rerunn")
    assert "rerun" in str(caught.value.hint)


def test_every_property_that_an_environment_may_skip_has_a_proof() -> None:
    assert set(get_args(Property)) == set(PROPERTIES)
    assert all(registry.find(name).id == name for name in PROPERTIES)
