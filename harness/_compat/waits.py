"""Compressing the waits of a run by one stated factor: polls, sensor timeouts, retry delays, time triggers.

`execution_timeout` is never touched: it bounds work, not waiting. Bridges: Airflow has no clock to turn, so each kind
of wait is shortened where it is decided.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_POLLS = ("poke_interval", "poll_interval", "polling_interval", "waiter_delay")
_SENSOR_LIMITS = ("timeout", "max_wait")
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
        """Shorten the waits that an operator or a sensor holds as attributes."""
        names = (*_POLLS, *_SENSOR_LIMITS) if is_sensor(task) else _POLLS
        for name in names:
            value = getattr(task, name, None)
            shorter = self._shorter(name, value)
            if shorter != value:
                # a read-only attribute is computed from others, which are shortened themselves
                with contextlib.suppress(AttributeError):
                    setattr(task, name, shorter)

    def hurry_trigger(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Shorten the waits among the arguments that a trigger is made with."""
        return {name: self._shorter(name, value) for name, value in arguments.items()}

    def _shorter(self, name: str, value: Any) -> Any:
        if self.factor == 1.0:
            return value
        if name in _POLLS:
            if isinstance(value, timedelta):
                return timedelta(seconds=self.poll(value.total_seconds()))
            return self.poll(value) if _is_number(value) else value
        if name in _SENSOR_LIMITS:
            if isinstance(value, timedelta):
                return self.span(value)
            return value / self.factor if _is_number(value) else value
        return self.moment(value) if name == "moment" and isinstance(value, datetime) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
