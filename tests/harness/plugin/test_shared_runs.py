from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.plugin.test_plugin import run, suite

__all__ = ["suite"]

HEAD = """
import pytest

after_two_runs = pytest.mark.dag_runs("greets", "none", {"date": "none", "dag_id": "stumbles"})
"""
NUMBERED = """
@after_two_runs
@pytest.mark.parametrize("number", range(4))
def test_it(number, dag_runs, namespace):
    greeted, stumbled = dag_runs
    assert greeted.passed and not stumbled.passed
    assert namespace.services["toy"].snapshot()[0].digests == {"hello": 1}
    with open("seen", "a") as file:
        file.write(f"{namespace.name} {greeted.folder} {greeted.namespace}\\n")
"""


def runs_of(project: Path) -> list[str]:
    return [path.name for path in (project / ".harness" / "runs").iterdir()]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "on workers"])
def test_all_tests_that_ask_for_the_same_runs_judge_one(
    suite: pytest.Pytester, toy_project: Path, workers: list[str]
) -> None:
    result = run(suite, toy_project, HEAD + NUMBERED, *workers)

    result.assert_outcomes(passed=4)
    assert len(set((toy_project / "seen").read_text().splitlines())) == 1
    assert len(runs_of(toy_project)) == 2


OTHERS = """
@after_two_runs
def test_first(namespace):
    pass

def test_between(namespace):
    assert namespace.services["toy"].snapshot() == []

@pytest.mark.dag_runs("greets", "none")
def test_of_other_runs(dag_runs):
    assert len(dag_runs) == 1

@after_two_runs
def test_second(dag_runs):
    assert len(dag_runs) == 2
"""


def test_other_runs_are_made_apart_and_a_test_without_the_marker_begins_afresh(
    suite: pytest.Pytester, toy_project: Path
) -> None:
    result = run(suite, toy_project, HEAD + OTHERS, "-v")

    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*test_first*", "*test_second*", "*test_between*", "*test_of_other_runs*"])
    assert len(runs_of(toy_project)) == 3


WRONG = """
@after_two_runs
def test_that_runs_once_more(run_dag):
    run_dag("greets")

@after_two_runs
def test_that_expects_what_is_not(dag_runs):
    assert dag_runs[1].passed

@after_two_runs
def test_that_changes_the_stores(namespace):
    namespace.services["toy"].put("greeting", "bye")

def test_without_the_marker(dag_runs):
    pass

@pytest.mark.dag_runs("greet", "none")
@pytest.mark.parametrize("number", [1, 2])
def test_of_a_dag_that_is_not_there(dag_runs, number):
    pass
"""


def test_what_would_spoil_the_runs_for_others_fails_and_says_why(suite: pytest.Pytester, toy_project: Path) -> None:
    result = run(suite, toy_project, HEAD + WRONG)

    result.assert_outcomes(passed=1, failed=2, errors=4)
    for said in (
        "*the runs that the marker dag_runs names are shared*",
        "*what they left was changed: greeting* one of *test_it.py::test_that_changes_the_stores*",
        "*say which: @pytest.mark.dag_runs*",
        "*no DAG 'greet' in *",
    ):
        result.stdout.fnmatch_lines([said])
    # the report of a failing test shows the runs that it has judged
    result.stdout.fnmatch_lines(["*harness run stumbles: fail*", "*ValueError: a stone*"])


def test_a_marker_without_runs_is_refused(suite: pytest.Pytester, toy_project: Path) -> None:
    result = run(suite, toy_project, HEAD + "@pytest.mark.dag_runs('greets')\ndef test_it(dag_runs):\n    pass\n")

    result.stderr.fnmatch_lines(["*test_it.py::test_it*: a DAG and its runs are wanted*"])
