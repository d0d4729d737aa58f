from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from harness.cli.main import main
from harness.errors import ConfigError
from harness.models.gate import Collected, DagEvidence, Drift, GateReport, StageStanding
from harness.models.run import RunReport, RunResult, TaskResult, TryResult, task_names
from harness.models.snapshot import Difference
from harness.report import page, summaries
from harness.report.graph import layout
from harness.report.run import print_report
from harness.report.text import run_sections

START = datetime(2026, 1, 1, tzinfo=UTC)


def task(name: str, state: str, at: float, *upstream: str, error: str | None = None, **more: Any) -> TaskResult:
    tries = (
        TryResult(
            number=1,
            state=state,
            start=START + timedelta(seconds=at),
            seconds=2.0,
            log=more.pop("log", None),
            error=error,
        ),
    )
    return TaskResult(
        task_id=name,
        state=state,
        tries=tries,
        start=tries[0].start,
        seconds=2.0,
        operator="@task",
        upstream=upstream,
        **more,
    )


def a_report(folder: Path, *tasks: TaskResult, verdict: str = "fail") -> RunReport:
    (folder / "load.log").write_text("line one\n<script>alert(1)</script>\n")
    changed = Difference(
        service="postgres",
        name="warehouse.public.t",
        kind="table",
        change="changed",
        rows_before=1,
        rows_after=3,
        added=2,
        removed=0,
    )
    default = (
        task("extract", "success", 0, xcoms={"return_value": {"rows": 3}}),
        task("load", "failed", 2, "extract", error="ValueError: no rows", log="load.log", rendered={"sql": "select 1"}),
    )
    run = RunResult.model_validate(
        {
            "dag_id": "orders",
            "run_id": "r1",
            "logical_date": START,
            "verdict": verdict,
            "tasks": tasks or default,
            "outputs": (changed,),
        }
    )
    said = {
        "verdict": verdict,
        "reasons": () if verdict == "pass" else ("load failed on its only try",),
        "dag_id": "orders",
    }
    return RunReport.model_validate(
        {**said, "environment": "test", "namespace": "n", "runs": (run,), "folder": str(folder), "seconds": 4.0}
    )


class Reader(HTMLParser):
    """Collects what a page shows, and where its parts would be fetched from."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.shown.append(data.strip())


def test_the_page_shows_a_run_and_fetches_nothing(tmp_path: Path) -> None:
    text = page.render(page.of_run(a_report(tmp_path)))
    read = Reader(text)
    shown = "\n".join(read.shown)
    for words in (
        "load failed on its only try",
        "ValueError: no rows",
        "line one",
        "select 1",
        '{"rows": 3}',
        "2 rows added",
    ):
        assert words in shown
    assert [one for one in read.fetched if not one.startswith(("data:", "#"))] == []
    assert re.findall(r"@import|url\(", text) == []


def test_a_log_is_shown_and_never_run(tmp_path: Path) -> None:
    text = page.render(page.of_run(a_report(tmp_path)))
    assert text.count("<script>") == 1
    assert "&lt;script&gt;alert(1)" in text


def test_each_task_has_its_state_in_the_graph_and_its_place_in_time(tmp_path: Path) -> None:
    (view,) = page.of_run(a_report(tmp_path)).dags["orders"]
    assert [(one.name, one.left, one.width) for one in view.tasks] == [("extract", 0.0, 50.0), ("load", 50.0, 50.0)]
    assert view.states == {"extract": "success", "load": "failed"}
    assert [node.name for node in view.graph.nodes] == ["extract", "load"]
    assert len(view.graph.edges) == 1


def test_two_hundred_tasks_make_a_page_of_less_than_two_megabytes(tmp_path: Path) -> None:
    tasks = [task(f"t{n:03}", "success", n, *([f"t{n // 2:03}"] if n else [])) for n in range(200)]
    text = page.render(page.of_run(a_report(tmp_path, *tasks, verdict="pass")))
    assert len(text) < 2_000_000
    assert text.count('class="row"') == 200


def test_no_two_tasks_lie_on_each_other() -> None:
    found = layout({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": []})
    assert len({(node.x, node.y) for node in found.nodes}) == 5
    x = {node.name: node.x for node in found.nodes}
    assert x["a"] < x["b"] == x["c"] < x["d"]


def test_the_page_says_what_differs_from_the_last_green_run(tmp_path: Path) -> None:
    for name, verdict in (("20260101T000000-orders-aa", "pass"), ("20260102T000000-orders-bb", "fail")):
        folder = tmp_path / name
        folder.mkdir()
        tasks = (
            task("extract", "success", 0),
            task("load", "success" if verdict == "pass" else "failed", 2, "extract"),
        )
        (folder / page.REPORT).write_text(a_report(folder, *tasks, verdict=verdict).model_dump_json(by_alias=True))
    (view,) = page.of_run(page.load(tmp_path / "20260102T000000-orders-bb")).dags["orders"]
    assert view.since == ["load: success → failed"]


def test_the_command_writes_the_page_of_the_last_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ".harness" / "runs" / "20260101T000000-orders-aa"
    folder.mkdir(parents=True)
    (folder / page.REPORT).write_text(a_report(folder).model_dump_json(by_alias=True))
    monkeypatch.chdir(tmp_path)
    assert main(["report", "--junit", "junit.xml", "--summary", "summary.md"]) == 0
    assert Path(capsys.readouterr().out.strip()) == folder / "report.html"
    suite = ET.parse(tmp_path / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    assert "| `load` | failed 2.0 s |" in (tmp_path / "summary.md").read_text()


def test_a_folder_without_a_report_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no report that can be read"):
        page.load(tmp_path)


def a_gate() -> GateReport:
    return GateReport(
        verdict="fail",
        reasons=("drift: connection partner: missing", "runs: orders: it was not run"),
        stage="acc",
        environment="acc",
        collected=(
            Collected(requirement="unit", outcome="pass", checked=3),
            Collected(requirement="drift", outcome="fail", checked=9),
        ),
        dags=(
            DagEvidence(
                dag_id="orders",
                path="dags/orders.py",
                inputs=("dags/orders.py",),
                verdict="fail",
                reasons=("load failed",),
            ),
        ),
        drift=(Drift(kind="connection", name="partner", change="missing", uses=("dags/orders.py:3",)),),
    )


def test_the_page_of_a_gate_shows_requirements_dags_and_drift(tmp_path: Path) -> None:
    shown = "\n".join(Reader(page.render(page.of_gate(a_gate(), tmp_path))).shown)
    for words in ("unit", "dags/orders.py", "connection partner: missing; used at dags/orders.py:3", "it was not run"):
        assert words in shown


def test_the_stages_stand_side_by_side(tmp_path: Path) -> None:
    shared = {"commit": "c" * 40, "finished": START, "dags": 2, "tasks": 9, "proofs": 0, "signature": "verified"}
    stages = [
        StageStanding.model_validate({"stage": "test", "failed": (), **shared}),
        StageStanding.model_validate({"stage": "acc", "failed": ("drift",), "approved_by": "ann", **shared}),
    ]
    shown = Reader(page.render(page.of_gate(a_gate(), tmp_path, stages))).shown
    for words in ("passed", "failed: drift", "2026-01-01 00:00 UTC", "ann"):
        assert words in shown


def test_a_gate_is_told_to_machines_and_ci_pages() -> None:
    suite = ET.fromstring(summaries.gate_junit(a_gate()))[0]
    assert (suite.get("tests"), suite.get("failures")) == ("4", "3")
    text = summaries.gate_markdown(a_gate())
    assert "| unit | pass | 3 | 0 |" in text
    assert "- **runs: orders: it was not run**" in text


def test_tasks_stand_at_the_height_of_those_before_them() -> None:
    found = layout({"root": [], "a": ["root"], "b": ["root"], "after_b": ["b"], "z_after_a": ["a"]})
    y = {node.name: node.y for node in found.nodes}
    assert y["a"] < y["b"]
    assert y["z_after_a"] < y["after_b"]


def test_a_warning_is_shown_wherever_a_run_is_and_does_not_fail_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "outputs untouched: lake/gold/; of 2 declared outputs the run changed others"
    green = a_report(tmp_path, task("load", "success", 0), verdict="pass")
    runs = tuple(run.model_copy(update={"warnings": (words,)}) for run in green.runs)
    report = green.model_copy(update={"warnings": (words,), "runs": runs})

    print_report(report)

    assert f"warning: {words}" in " ".join(capsys.readouterr().out.split())
    assert f"- warning: {words}" in summaries.run_markdown(report)
    assert Reader(page.render(page.of_run(report))).shown.count(words) == 2
    assert f"warning: {words}" in run_sections(report)[0][1]
    assert 'failures="0"' in summaries.run_junit(report)


def test_rows_of_runs_with_more_instances_keep_their_order() -> None:
    def run(*names: tuple[str, int]) -> RunResult:
        tasks = tuple(TaskResult(task_id=name, map_index=index, state="success") for name, index in names)
        return RunResult(dag_id="d", run_id="r", logical_date=START, verdict="pass", tasks=tasks)

    wider = run(("list", -1), ("load", 0), ("load", 1), ("load", 10), ("sum", -1))

    assert task_names([run(("list", -1), ("load", 0), ("sum", -1)), wider]) == [
        "list", "load[0]", "load[1]", "load[10]", "sum",
    ]  # fmt: skip
