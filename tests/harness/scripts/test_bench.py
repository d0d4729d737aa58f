from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import rows
from tests.bench.machine import cpu_model
from tests.bench.page import render
from tests.bench.rows import Row, Unmeasured, ratio, seconds
from tests.bench.surroundings import chain, checked_project
from tests.bench.timing import ROOT, BenchError, cpu, in_turns, probe, wall, within

TODAY = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "value", "met"),
    [
        (Row("start", 6.0, "slowest", 5.0, 1.2), 1.2, True),
        (Row("start", 6.1, "slowest", 5.0, 1.2), 1.22, False),
        (Row("help", 0.35, "bare", 0.05, 0.3, "difference"), 0.3, True),
        (Row("help", 0.4, "bare", 0.05, 0.3, "difference"), 0.35, False),
        (Row("task", 0.024, "theirs", 0.055, 0.025, "alone"), 0.024, True),
        (Row("task", 0.026, "theirs", 0.055, 0.025, "alone"), 0.026, False),
        (Row("snapshot", 9.0, "theirs", 3.0), 3.0, True),
    ],
)
def test_a_budget_is_a_ratio_a_difference_or_a_time_against_its_bar(row: Row, value: float, met: bool) -> None:
    assert row.value == pytest.approx(value)
    assert row.met is met


@pytest.mark.parametrize(
    ("value", "words"), [(12.345, "12.35 s"), (0.1, "0.10 s"), (0.0234, "23.4 ms"), (0.000123, "0.123 ms")]
)
def test_a_short_time_is_told_in_milliseconds(value: float, words: str) -> None:
    assert seconds(value) == words


@pytest.mark.parametrize(("value", "words"), [(1.204, "1.20"), (0.0171, "0.017")])
def test_a_small_ratio_keeps_two_digits(value: float, words: str) -> None:
    assert ratio(value) == words


def test_both_sides_take_turns_and_each_gives_its_median() -> None:
    calls: list[str] = []
    left, right = iter([1.0, 9.0, 2.0]), iter([5.0, 4.0, 6.0])

    def ours() -> float:
        calls.append("ours")
        return next(left)

    def theirs() -> float:
        calls.append("theirs")
        return next(right)

    assert in_turns(3, ours, theirs) == [2.0, 5.0]
    assert calls == ["ours", "theirs"] * 3


def test_the_page_tells_what_is_met_missed_without_a_bar_and_not_measured() -> None:
    lines = [
        Row("start", 9.0, "the slowest", 5.0, 1.2),
        Row("help", 0.2, "bare Python", 0.1, 0.3, "difference"),
        Row("one more task", 0.02, "theirs", 0.05, 0.025, "alone"),
        Row("fingerprint", 2.0, "hashing", 8.0),
        Unmeasured("namespace", "containers", "no container engine"),
    ]

    page = render(lines, "a machine", TODAY, rounds=3)

    assert "Measured on 2026-01-02 by `make bench`: a machine." in page
    assert "| start | 9.00 s | the slowest | 5.00 s | 1.80 | <= 1.2 | **missed** |" in page
    assert "| help | 0.20 s | bare Python | 0.10 s | 0.10 s | <= 0.3 s | met |" in page
    assert "| one more task | 20 ms | theirs | 50 ms | 20 ms | <= 25 ms | met |" in page
    assert "| fingerprint | 2.00 s | hashing | 8.00 s | 0.25 | - | - |" in page
    assert "| namespace | - | containers | - | - | - | not measured: no container engine |" in page


def test_a_missed_bar_is_explained_below_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "REASONS", {"check": "the interpreter alone takes as long."})

    missed = render([Row("check", 9.0, "theirs", 1.0, 0.5)], "a machine", TODAY, rounds=3)
    met = render([Row("check", 0.1, "theirs", 1.0, 0.5)], "a machine", TODAY, rounds=3)

    assert "- check: the interpreter alone takes as long." in missed
    assert "the interpreter" not in met


def test_a_missed_bar_that_nobody_has_explained_says_so() -> None:
    assert "has not been found out" in Row("nobody knows this row", 9.0, "theirs", 1.0, 0.5).comment


def test_the_cpu_time_of_a_command_is_its_own() -> None:
    busy = cpu(sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass")

    assert busy >= 0.5


def test_a_command_that_fails_ends_its_measurement_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="ended with 7"):
        cpu(sys.executable, "-c", "raise SystemExit(7)")
    with pytest.raises(BenchError, match="no such table"):
        wall(tmp_path, sys.executable, "-c", "raise SystemExit('no such table')")


def test_a_measurement_that_hangs_is_given_up(tmp_path: Path) -> None:
    hangs = (sys.executable, "-c", "import time; time.sleep(600)")

    with pytest.raises(BenchError, match=r"no end after 0\.2 s"), within(0.2):
        cpu(*hangs)
    with pytest.raises(BenchError, match=r"had not ended after 0\.2 s"):
        wall(tmp_path, *hangs, patience=0.2)


def test_a_measurement_that_fails_becomes_a_line_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(rounds: int) -> list[Row]:
        raise BenchError(f"nothing after {rounds} rounds")

    monkeypatch.setattr(bench, "MEASUREMENTS", {"broken": (fail, 10.0)})

    assert bench.main(["broken", "--rounds", "2"]) == 1
    assert bench.measured("broken", 2)[0].cells[-1] == "not measured: nothing after 2 rounds"


def test_a_probe_measures_in_a_process_of_its_own() -> None:
    assert probe(time.process_time) < time.process_time()


def test_generated_projects_hold_the_files_that_were_asked_for(tmp_path: Path) -> None:
    checked_project(tmp_path, 3)
    chain(tmp_path / "dags", "chain_2", tasks=2)

    for file in (tmp_path / "dags").iterdir():
        compile(file.read_text(), str(file), "exec")
    assert sorted(file.stem for file in (tmp_path / "dags").iterdir()) == [
        "chain_2",
        "orders_0",
        "orders_1",
        "orders_2",
    ]


def test_the_help_page_is_measured_as_a_user_would_ask_for_it() -> None:
    command = [sys.executable, "-m", "tests.bench", "help", "--rounds", "1"]
    page = ROOT / "docs" / "performance.md"
    before = page.read_bytes() if page.exists() else None

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert ended.returncode == 0, ended.stderr
    assert "| CPU of `harness --help` |" in ended.stdout
    assert "| <= 0.3 s |" in ended.stdout
    assert (page.read_bytes() if page.exists() else None) == before, "only `make bench` writes the page"


def test_a_measurement_that_there_is_not_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.main(["helpp"])

    assert "no measurement is called helpp" in capsys.readouterr().err


def test_the_processor_is_named_where_the_system_tells(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Quick 9000\n")

    assert cpu_model(info) == "Quick 9000"
    assert cpu_model(tmp_path / "nothing")
