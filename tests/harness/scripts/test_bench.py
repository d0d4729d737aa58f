from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts import bench
from scripts.bench import Row


@pytest.mark.parametrize(
    ("row", "value", "met"),
    [
        (Row("start", 6.0, "slowest", 5.0, 1.2), 1.2, True),
        (Row("start", 6.1, "slowest", 5.0, 1.2), 1.22, False),
        (Row("help", 0.35, "bare", 0.05, 0.3, as_difference=True), 0.3, True),
        (Row("help", 0.4, "bare", 0.05, 0.3, as_difference=True), 0.35, False),
    ],
)
def test_a_budget_is_a_ratio_or_a_difference_against_its_bar(row: Row, value: float, met: bool) -> None:
    assert row.value == pytest.approx(value)
    assert row.met is met


def test_both_sides_take_turns_and_each_gives_its_median() -> None:
    calls: list[str] = []
    left, right = iter([1.0, 9.0, 2.0]), iter([5.0, 4.0, 6.0])

    def ours() -> float:
        calls.append("ours")
        return next(left)

    def theirs() -> float:
        calls.append("theirs")
        return next(right)

    assert bench.in_turns(3, ours, theirs) == [2.0, 5.0]
    assert calls == ["ours", "theirs"] * 3


def test_a_bar_that_is_missed_is_stated() -> None:
    rows = [Row("start", 9.0, "the slowest", 5.0, 1.2), Row("help", 0.2, "bare Python", 0.1, 0.3, as_difference=True)]

    page = bench.render(rows, "a machine", datetime(2026, 1, 2, tzinfo=UTC), rounds=3)

    assert "Measured on 2026-01-02 by `make bench`: a machine." in page
    assert "| start | 9.00 s | the slowest | 5.00 s | 1.80 | <= 1.2 | **missed** |" in page
    assert "| help | 0.20 s | bare Python | 0.10 s | 0.10 s | <= 0.3 s | met |" in page


def test_the_cpu_time_of_a_command_is_its_own() -> None:
    busy = bench.cpu(sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass")

    assert busy >= 0.5


def test_a_command_that_fails_ends_the_measurement() -> None:
    with pytest.raises(SystemExit, match="ended with 7"):
        bench.cpu(sys.executable, "-c", "raise SystemExit(7)")


def test_the_processor_is_named_where_the_system_tells(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Quick 9000\n")

    assert bench.cpu_model(info) == "Quick 9000"
    assert bench.cpu_model(tmp_path / "nothing")
