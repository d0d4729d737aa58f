"""A run that succeeds must have touched what it is there for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.api import Session
from harness.environment import Environment
from harness.environment.spec import DagSpec
from harness.models.run import RunReport, TaskResult
from harness.models.snapshot import Difference
from harness.runner.outputs import judge_outputs
from harness.session.client import Namespace

PROJECT = Path(__file__).with_name("publishing")
SUNDAY, MONDAY, TUESDAY = "2026-01-04", "2026-01-05", "2026-01-06"


@pytest.fixture(scope="module")
def flag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flag") / "chat-answers"


@pytest.fixture(scope="module")
def session(flag: Path) -> Iterator[Session]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_FLAG", str(flag))
        environment = Environment.load("dev", folder=PROJECT / "environments")
    with Session(environment) as opened:
        yield opened


@pytest.fixture
def namespace(session: Session) -> Iterator[Namespace]:
    with session.namespace() as opened:
        yield opened


# -- what is asked of a run


def change(name: str, added: int = 1, service: str = "postgres", what: str = "added") -> Difference:
    kind = {"service": service, "name": name, "kind": "table", "change": what}
    return Difference(**kind, rows_before=0, rows_after=added, added=added, removed=0)


TWO = {"outputs": {"postgres": ["wh.public.a", "wh.public.b"]}}
A_IS_WEEKLY = {"untouched": {"postgres": {"wh.public.a": "weekly"}}}
MAY_SKIP = {"empty": {"outcome": "skip", "reason": "holidays"}}
MAY_BE_EMPTY = {"empty": {"outcome": "empty", "reason": "holidays"}}
MUST_FAIL = {"empty": {"outcome": "fail", "reason": "somebody must know"}}
DONE = [TaskResult(task_id="load", state="success")]
SKIPPED = [*DONE, TaskResult(task_id="publish", state="skipped")]
ON_DEMAND = [*DONE, TaskResult(task_id="publish", state="skipped", declared="on demand")]


@pytest.mark.parametrize(
    ("spec", "differences", "tasks", "reason", "warning"),
    [
        pytest.param(TWO, ["wh.public.a", "wh.public.b"], DONE, "", "", id="all touched"),
        pytest.param(TWO, [], DONE, "untouched: wh.public.a, wh.public.b", "", id="none touched"),
        pytest.param(TWO, ["wh.public.c"], DONE, "untouched: wh.public.a, wh.public.b", "", id="another one touched"),
        pytest.param(
            TWO, ["wh.public.b"], DONE, "", "untouched: wh.public.a; of 2 declared outputs", id="some touched"
        ),
        pytest.param(TWO | A_IS_WEEKLY, ["wh.public.b"], DONE, "", "", id="the rest declared"),
        pytest.param(TWO | A_IS_WEEKLY, [], DONE, "untouched: wh.public.b:", "", id="only one declared"),
        pytest.param(TWO | MAY_SKIP, [], SKIPPED, "", "taken for a date without input: holidays", id="skipped date"),
        pytest.param(TWO | MAY_SKIP, [], DONE, "untouched", "", id="nothing was skipped"),
        pytest.param(TWO | MAY_SKIP, [], ON_DEMAND, "untouched", "", id="skipped by declaration"),
        pytest.param(TWO | MAY_BE_EMPTY, [], DONE, "", "taken for a date without input", id="empty date"),
        pytest.param(TWO | MUST_FAIL, [], DONE, "untouched", "", id="an empty date must fail"),
        pytest.param({}, ["wh.public.a"], DONE, "", "", id="undeclared and touched"),
        pytest.param({}, [], DONE, "", "nothing but the states of its tasks was judged", id="undeclared and untouched"),
    ],
)
def test_untouched_outputs_fail_a_run_unless_something_says_why(
    spec: dict[str, object], differences: list[str], tasks: list[TaskResult], reason: str, warning: str
) -> None:
    found = judge_outputs(DagSpec.model_validate(spec), [change(name) for name in differences], tasks)

    for words, expected in zip(found, (reason, warning), strict=True):
        assert bool(words) is bool(expected)
        assert expected in "".join(words)


def test_an_empty_table_is_no_output() -> None:
    reasons, _ = judge_outputs(DagSpec.model_validate(TWO), [change("wh.public.a", added=0)], DONE)
    assert reasons


def test_a_table_of_the_same_name_in_another_service_is_no_output() -> None:
    reasons, _ = judge_outputs(DagSpec.model_validate(TWO), [change("wh.public.a", service="other")], DONE)
    assert reasons


def test_what_cannot_be_read_is_told_and_not_judged() -> None:
    spec = DagSpec.model_validate({"outputs": {"smtp": ["desk@example.org"], "postgres": ["wh.public.a"]}})

    assert judge_outputs(spec, [change("wh.public.a")], DONE, unread=["smtp"]) == (
        (),
        ("not judged: desk@example.org; smtp cannot be read here",),
    )
    reasons, _ = judge_outputs(spec, [], DONE, unread=["smtp"])
    assert reasons[0].startswith("outputs untouched: wh.public.a:")
    assert judge_outputs(spec, [], DONE, unread=["smtp", "postgres"])[0] == ()


def test_what_an_earlier_run_of_the_date_touched_need_not_be_touched_again() -> None:
    both = {"postgres: wh.public.a", "postgres: wh.public.b"}
    assert judge_outputs(DagSpec.model_validate(TWO), [], DONE, both) == ((), ())


# -- runs


def reasons(report: RunReport) -> str:
    return "; ".join(report.reasons)


@pytest.mark.slow
def test_a_join_under_one_arm_of_a_branch_leaves_the_output_untouched(session: Session) -> None:
    report = session.run("weekly_publish", date=TUESDAY)

    assert (report.verdict, report.runs[0].airflow_state) == ("fail", "success")
    assert report.reasons[0].startswith("outputs untouched: wh.public.published:")


@pytest.mark.slow
def test_a_date_is_judged_by_what_it_touched_itself_and_not_an_earlier_date(session: Session) -> None:
    report = session.run("weekly_publish", from_=SUNDAY, to=MONDAY)

    assert [run.verdict for run in report.runs] == ["pass", "fail"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dag_id", "why"),
    [("declared_weekly", "as declared: the digest"), ("holidays", "without input: the shop is closed")],
)
def test_a_declaration_lets_an_untouched_output_pass_and_is_told(session: Session, dag_id: str, why: str) -> None:
    report = session.run(dag_id, date=TUESDAY)

    assert report.passed, report.reasons
    assert why in "; ".join(report.warnings)


@pytest.mark.slow
def test_a_re_run_that_leaves_all_as_it_is_passes(session: Session, namespace: Namespace) -> None:
    first, second = (session.run("replaces_a_day", date=MONDAY, namespace=namespace) for _ in range(2))

    assert first.passed, first.reasons
    assert second.runs[0].outputs == ()
    assert (second.verdict, second.reasons, second.warnings) == ("pass", (), ())


@pytest.mark.slow
def test_a_re_run_of_what_never_published_fails_again(session: Session, namespace: Namespace) -> None:
    reports = [session.run("weekly_publish", date=MONDAY, namespace=namespace) for _ in range(2)]

    assert [report.verdict for report in reports] == ["fail", "fail"]


@pytest.mark.slow
def test_commands_that_share_a_namespace_know_of_each_others_runs(session: Session, namespace: Namespace) -> None:
    session.run("replaces_a_day", date=MONDAY, namespace=namespace)
    with Session(session.environment) as other, other.namespace(namespace.name) as same:
        assert other.run("replaces_a_day", date=MONDAY, namespace=same).passed


@pytest.mark.slow
@pytest.mark.parametrize("same", [True, False], ids=["its namespace", "another namespace"])
def test_a_run_that_is_resumed_after_it_published_passes(session: Session, flag: Path, same: bool) -> None:
    flag.unlink(missing_ok=True)
    with session.namespace() as one, session.namespace() as other:
        failed = session.run("tells_afterwards", date=MONDAY, namespace=one)
        flag.touch()
        resumed = session.run("tells_afterwards", resume=Path(str(failed.folder)), namespace=one if same else other)

    assert failed.runs[0].states == {"load_told": "success", "notify": "failed"}
    assert "untouched" not in reasons(failed)
    assert resumed.passed, resumed.reasons


@pytest.mark.slow
def test_one_task_alone_is_not_asked_for_the_outputs_of_its_dag(session: Session, flag: Path) -> None:
    flag.touch()
    report = session.run("tells_afterwards", date=MONDAY, task="notify")
    assert report.passed, report.reasons


@pytest.mark.slow
def test_without_a_snapshot_outputs_are_not_judged(session: Session) -> None:
    report = session.run("weekly_publish", date=MONDAY, snapshot=False)
    assert report.passed, report.reasons


@pytest.mark.slow
def test_a_run_fails_by_the_untouched_outputs_of_what_it_triggers(session: Session) -> None:
    report = session.run("starts_weekly", date=TUESDAY)

    assert "the run of weekly_child that it triggered failed" in report.reasons
    assert "weekly_child: outputs untouched: wh.public.published" in reasons(report)


@pytest.mark.slow
def test_what_a_triggered_run_touched_counts_when_its_parent_is_run_again(
    session: Session, namespace: Namespace
) -> None:
    for _ in range(2):
        report = session.run("starts_weekly", date=SUNDAY, namespace=namespace)
        assert report.passed, report.reasons


@pytest.mark.slow
def test_runs_that_go_on_at_once_are_judged_by_what_they_touched_together(
    session: Session, namespace: Namespace
) -> None:
    session.run("weekly_publish", date=TUESDAY, namespace=namespace)  # makes the table

    report = session.run("weekly_publish", from_=SUNDAY, to=MONDAY, together=True, namespace=namespace)

    assert report.passed, report.reasons


@pytest.mark.slow
def test_an_output_that_is_untouched_beside_others_is_told_and_does_not_fail(session: Session) -> None:
    report = session.run("one_of_two", date=MONDAY)

    assert report.passed, report.reasons
    assert report.warnings == ("outputs untouched: wh.public.second; of 2 declared outputs the run changed others",)


@pytest.mark.slow
def test_a_run_that_changed_no_store_and_declares_nothing_says_what_was_judged(session: Session) -> None:
    report = session.run("only_checks", date=MONDAY)

    assert report.passed, report.reasons
    assert "nothing but the states of its tasks was judged" in report.warnings[0]


@pytest.mark.slow
def test_the_failure_of_a_teardown_is_told_and_does_not_fail(session: Session) -> None:
    report = session.run("removes_its_cluster", date=MONDAY)

    assert report.passed, report.reasons
    assert report.runs[0].states["delete"] == "failed"
    assert report.warnings[0].startswith("delete failed on its only try:")
    assert "a teardown without on_failure_fail_dagrun" in report.warnings[0]
