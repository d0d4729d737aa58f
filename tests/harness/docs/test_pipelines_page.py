from __future__ import annotations

from pathlib import Path

import pytest

from harness.checks.graph import Dag, Task
from scripts.pipelines_page import ROOT, TARGET, Section, anchor, graph, lesson_of, page, summary_of


@pytest.fixture(scope="module")
def whole() -> str:
    return page(ROOT)


def test_the_page_of_the_pipelines_is_what_the_dags_say(whole: str) -> None:
    assert (ROOT / TARGET).read_text(encoding="utf-8") == whole, "run: make docs"


def test_every_dag_file_has_a_section_with_its_graph_and_its_tests(whole: str) -> None:
    files = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "dags").rglob("*.py"))
    parts = whole.split("\n## ")[1:]

    assert sorted(part.partition("](../")[2].partition(")")[0] for part in parts) == files
    assert all("```mermaid\ngraph LR\n  " in part for part in parts)
    assert [part.partition("\n")[0] for part in parts if "\n- [tests/" not in part] == []


def test_a_graph_shows_edges_kinds_and_rules() -> None:
    tasks = (
        Task(task_id="wait", kind="sensor", downstream=("work",)),
        Task(task_id="work", mapped=True, upstream=("wait",), trigger_rule="none_failed"),
    )
    drawn = graph(Section(Path("dags/x.py"), (Dag(dag_id="x", tasks=tasks),)))

    assert drawn.splitlines() == [
        "graph LR",
        '  d0t0(["wait"])',
        '  d0t1["work (mapped)"]',
        "  d0t0 -->|none_failed| d0t1",
    ]


def test_several_dags_of_one_file_are_drawn_side_by_side() -> None:
    dags = tuple(Dag(dag_id=name, tasks=(Task(task_id="load"),)) for name in ("one", "two"))

    assert graph(Section(Path("dags/x.py"), dags)).splitlines() == [
        "graph LR",
        "  subgraph one",
        '  d0t0["load"]',
        "  end",
        "  subgraph two",
        '  d1t0["load"]',
        "  end",
    ]


def test_a_docstring_is_a_summary_and_a_lesson() -> None:
    dag = Dag(dag_id="x", doc="What it does:\n    a >> b.\n\n    Why.\n\n    And how.\n    ")

    assert summary_of(dag) == "What it does:\na >> b."
    assert lesson_of(dag) == "Why.\n\nAnd how."


def test_an_anchor_is_that_of_the_heading() -> None:
    assert anchor("one_dag, another_dag") == "one_dag-another_dag"
