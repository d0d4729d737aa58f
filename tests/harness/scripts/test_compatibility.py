from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts import compatibility
from scripts.compatibility import Case, Examples, Notes

NOTES = Notes(
    errors={"one.py DAG012": "it is"},
    excluded={"asks_the_web": "needs the web"},
    random={"draws": "a branch is drawn"},
    documented={"waits": {"states": {"wait": "failed"}, "reason": "Sensors, Timeouts"}},
    discussed=[],
)
GOOD = Case("good", ours={"load": "success"}, theirs={"load": "success"}, verdict="pass")


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (GOOD, "same"),
        (Case("draws", ours={"a": "skipped"}, theirs={"a": "skipped"}), "same (a branch is drawn)"),
        (Case("waits", ours={"wait": "failed"}, trouble="did not end"), "as documented: Sensors, Timeouts"),
        (Case("waits", ours={"wait": "success"}, trouble="did not end"), "**not as documented**"),
        (Case("other", ours={"a": "failed"}, theirs={"a": "success"}), "**different**"),
        (Case("other"), "**different**"),
    ],
)
def test_a_difference_is_named_unless_the_documentation_explains_it(case: Case, words: str) -> None:
    assert compatibility._word(case, NOTES) == words


def test_what_nobody_has_written_about_is_a_problem() -> None:
    finding = SimpleNamespace(path="dags/two.py", rule="DAG208", severity="error")
    bad = Case("other", ours={"a": "failed"}, theirs={"a": "success"})
    problems = compatibility.unexplained(SimpleNamespace(findings=[finding]), [GOOD, bad], NOTES)
    assert [one.partition(":")[0] for one in problems] == ["two.py DAG208", "one.py DAG012", "other"]


def test_a_dag_comes_with_the_files_of_the_dags_that_it_names(tmp_path: Path) -> None:
    texts = {"parent": "trigger_dag_id='child'", "child": 'trigger("leaf")', "leaf": "", "stranger": ""}
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    examples = Examples({name: tmp_path / f"{name}.py" for name in texts})
    made = examples.copy(tmp_path / "made" / "dags", ["parent"])
    assert {path.stem for path in made.iterdir()} == {"parent", "child", "leaf"}
