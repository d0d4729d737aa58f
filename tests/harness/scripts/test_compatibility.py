from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts import compatibility
from scripts.compatibility import Case, Examples, Notes

NOTES = Notes(
    errors={"one.py DAG012": "it is"},
    excluded={"asks_the_web": "needs the web"},
    lots={"draws": ["branch_ follow_"]},
    documented={
        "waits": {"states": {"wait": "failed"}, "reason": "Sensors, Timeouts"},
        "asks": {"reason": "Params"},
    },
    discussed=[],
)
GOOD = Case("good", ours={"load": "success"}, theirs={"load": "success"}, verdict="pass")


def drawn(branch: str) -> dict[str, str | None]:
    """Return the states after one of two branches was drawn, and what follows it."""
    ends = {end: "success" if end == branch else "skipped" for end in "ab"}
    return {"join": "success"} | {
        f"{stem}_{end}": state for end, state in ends.items() for stem in ("branch", "follow")
    }


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (GOOD, "same"),
        (Case("draws", ours=drawn("a"), theirs=drawn("b")), "same, but for which branch was drawn"),
        (Case("draws", ours=drawn("a"), theirs={**drawn("b"), "join": "failed"}), "**different**"),
        (Case("draws", ours=drawn("a"), theirs={**drawn("a"), "follow_b": "success"}), "**different**"),
        (
            Case("draws", ours=drawn("a"), theirs={**drawn("b"), "follow_a": "success", "follow_b": None}),
            "**different**",
        ),
        (Case("asks", trouble="no value"), "as documented: Params"),
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
