"""What a run's text says of the stores."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from harness.models.run import RunReport, RunResult, ServiceHealth
from harness.models.snapshot import Difference
from harness.report.run import print_report


def changed(name: str, change: str = "added") -> Difference:
    return Difference.model_validate(
        {"service": "s3", "name": name, "kind": "object", "change": change, "rows_before": 0, "rows_after": 5}
        | {"added": 1, "removed": 0}
    )


def text_of(capsys: pytest.CaptureFixture[str], *days: tuple[Difference, ...]) -> str:
    runs = [
        RunResult(
            dag_id="lands",
            run_id=f"r{day}",
            logical_date=datetime(2026, 1, day, tzinfo=UTC),
            verdict="pass",
            outputs=outputs,
        )
        for day, outputs in enumerate(days, 1)
    ]
    health = (ServiceHealth(service="s3", engine="embedded", healthy=True),)
    print_report(
        RunReport(verdict="pass", dag_id="lands", environment="dev", namespace="n1", runs=tuple(runs), services=health)
    )
    return capsys.readouterr().out


def test_objects_are_counted_by_folder_and_run(capsys: pytest.CaptureFixture[str]) -> None:
    first = (changed("landing/raw/2026-01-01/a.csv"), changed("landing/raw/2026-01-01/b.csv"))
    second = (changed("landing/raw/2026-01-02/a.csv"), changed("landing/raw/2026-01-01/a.csv", "removed"))

    text = text_of(capsys, first, second)

    assert [line.split() for line in text.splitlines() if "landing" in line] == [
        ["s3", "landing/raw/", "+2", "+1", "-1"]
    ]


def test_an_object_in_no_folder_is_of_its_bucket(capsys: pytest.CaptureFixture[str]) -> None:
    assert "s3 landing/ " in text_of(capsys, (changed("landing/a.csv"),))


def test_that_nothing_was_changed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no store was changed" in text_of(capsys, ())
