"""Compressing the waits of a run by one stated factor: polls, sensor timeouts, retry delays, time triggers.

`execution_timeout` is never touched: it bounds work, not waiting. Bridges: Airflow has no clock to turn, so each kind
of wait is shortened where it is decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_POLLS = ("poke_interval", "poll_interval", "polling_interval", "waiter_delay")
_SHORTEST_POLL = 0.05
"""Seconds; a compressed poll must not become a busy loop."""


@dataclass(frozen=True)
class Pace:
    """How much faster than the real clock a run waits; 1 is real time."""

    factor: float = 1.0

    def span(self, wait: timedelta) -> timedelta:
        """Shorten a span."""
        return wait / self.factor

    def moment(self, then: datetime, since: datetime | None = None) -> datetime:
        """Bring a moment closer to `since` (now, by default); a moment in the past stays."""
        base = since or datetime.now(UTC)
        return base + self.span(then - base) if then > base else then

    def poll(self, seconds: float) -> float:
        """Shorten the pause between two polls."""
        return seconds if self.factor == 1.0 else max(seconds / self.factor, min(seconds, _SHORTEST_POLL))

    def hurry(self, task: Any) -> None:
        """Shorten the waits that an operator, a sensor or a trigger holds as attributes."""
        if self.factor == 1.0:
            return
        for name in _POLLS:
            value = getattr(task, name, None)
            if isinstance(value, timedelta):
                setattr(task, name, timedelta(seconds=self.poll(value.total_seconds())))
            elif isinstance(value, int | float) and not isinstance(value, bool):
                setattr(task, name, self.poll(value))
        if is_sensor(task):
            self._hurry_sensor(task)
        if isinstance(getattr(task, "moment", None), datetime):
            task.moment = self.moment(task.moment)

    def _hurry_sensor(self, task: Any) -> None:
        for name in ("timeout", "max_wait"):
            value = getattr(task, name, None)
            if isinstance(value, timedelta):
                setattr(task, name, self.span(value))
            elif isinstance(value, int | float) and value is not None:
                setattr(task, name, value / self.factor)


def is_sensor(task: Any) -> bool:
    """Tell whether a task is a sensor."""
    from airflow.sdk import BaseSensorOperator

    return isinstance(task, BaseSensorOperator)


def hurry_retries(pace: Pace) -> None:
    """Shorten the delay before a retry, for all decisions of this process."""
    from airflow.models.taskinstance import TaskInstance

    if pace.factor == 1.0:
        return
    decide = TaskInstance.next_retry_datetime

    def sooner(ti: Any) -> datetime:
        due: datetime = decide(ti)
        return pace.moment(due, since=ti.end_date)

    TaskInstance.next_retry_datetime = sooner
