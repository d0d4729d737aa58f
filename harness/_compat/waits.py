"""Compressing the waits of a run by one stated factor: polls, sensor timeouts, retry delays, time triggers.

`execution_timeout` is never touched: it bounds work, not waiting. Each wait is shortened once, where it is waited:
sensors have a faster clock (`sensor_clock`), a deferral and its trigger are shortened when the task defers and when the
trigger begins. A task that defers therefore holds the waits that its author wrote. Bridges: Airflow has no clock to
turn.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_POLLS = ("poke_interval", "poll_interval", "polling_interval", "waiter_delay")
_SENSOR_LIMITS = ("timeout", "max_wait")
_MOMENTS = ("moment", "timeout_datetime")
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

    def hurry(self, task: Any) -> dict[float, Any]:
        """Shorten the pauses that an operator holds as attributes; sensors, and what defers, wait elsewhere.

        Returns:
            The pauses that were shortened: what each is now, and what it was, for `hurry_deferral`.
        """
        if is_sensor(task) or getattr(task, "deferrable", False):
            return {}
        were: dict[float, Any] = {}
        for name in _POLLS:
            value = getattr(task, name, None)
            shorter = self._shorter(name, value)
            if shorter != value:
                # a read-only attribute is computed from others, which are shortened themselves
                with contextlib.suppress(AttributeError):
                    setattr(task, name, shorter)
                    were[_seconds(shorter)] = value
        return were

    def hurry_deferral(self, deferred: Any, task: Any, were: dict[float, Any]) -> None:
        """Shorten the time limit of a deferral, and give its trigger the pauses as they were written.

        Args:
            deferred: the `TaskDeferred` that the task raised.
            task: its operator.
            were: what `hurry` returned for it.
        """
        self.hurry_limit(deferred, task)
        if not were:
            return
        serialize = deferred.trigger.serialize

        def as_written() -> tuple[str, dict[str, Any]]:
            classpath, arguments = serialize()
            return classpath, {
                name: were.get(_seconds(value), value) if name in _POLLS else value for name, value in arguments.items()
            }

        deferred.trigger.serialize = as_written

    def hurry_limit(self, deferred: Any, task: Any) -> None:
        """Shorten the time limit of a deferral or of a person's answer, if it is not `execution_timeout`."""
        limit = deferred.timeout
        if limit is not None and limit != task.execution_timeout:
            deferred.timeout = self.span(limit if isinstance(limit, timedelta) else timedelta(seconds=limit))

    def hurry_trigger(self, arguments: dict[str, Any], *, sensor: bool) -> dict[str, Any]:
        """Shorten the waits among the arguments that a trigger is made with.

        Args:
            arguments: by name.
            sensor: it waits for a sensor, whose time limit bounds waiting; another task's may bound work.
        """
        names = (*_POLLS, *_MOMENTS, *(_SENSOR_LIMITS if sensor else ()))
        return {name: self._shorter(name, value) if name in names else value for name, value in arguments.items()}

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
        return self.moment(value) if name in _MOMENTS and isinstance(value, datetime) else value


def _seconds(value: Any) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value) if _is_number(value) else -1.0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_sensor(task: Any) -> bool:
    """Tell whether a task is a sensor, or is mapped to sensors."""
    from airflow.sdk import BaseSensorOperator

    made_of = getattr(task, "operator_class", type(task))
    return isinstance(made_of, type) and issubclass(made_of, BaseSensorOperator)


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
