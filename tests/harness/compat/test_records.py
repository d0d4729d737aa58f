"""What is read of a run from the metadata database."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from harness._compat import records

BEGAN = datetime(2026, 1, 2, tzinfo=UTC)


def instance(task: str, number: int, start: datetime | None) -> SimpleNamespace:
    return SimpleNamespace(
        task_id=task, map_index=-1, try_number=number, state="success", start_date=start, duration=1.0, operator="Op"
    )


def test_what_was_cleared_before_it_had_begun_is_no_try(monkeypatch: pytest.MonkeyPatch) -> None:
    tables: dict[str, list[Any]] = {
        "TaskInstance": [instance("load", 2, BEGAN), instance("wait", 1, BEGAN)],
        "TaskInstanceHistory": [instance("load", 1, None)],
    }

    def scalars(statement: Any) -> Any:
        rows = tables.get(statement.column_descriptions[0]["entity"].__name__, [])
        return SimpleNamespace(unique=lambda: SimpleNamespace(all=lambda: rows))

    monkeypatch.setattr(records.SerializedDagModel, "get", lambda dag_id, session: None)

    found = records._tasks(SimpleNamespace(scalars=scalars), "orders", "run")

    assert [(one.task_id, [attempt.number for attempt in one.tries]) for one in found] == [("load", [2]), ("wait", [1])]
