"""Clocks for sensors: one that passes as they wait, instead of making them wait, and one faster than the real one.

Bridges: a sensor in poke mode sleeps in `airflow.sdk.bases.sensor`, by that module's own name `time`; it and the
sensors that wait for a moment look at the date by their modules' own name `timezone`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from harness._compat.waits import Pace

_DATED = tuple(f"airflow.providers.standard.sensors.{name}" for name in ("date_time", "time", "time_delta"))
"""Modules whose sensors compare the date with a moment."""


class SensorClock:
    """What a sensor needs of the module `time`; `waited` is how many seconds it has slept in all."""

    def __init__(self) -> None:
        self.waited = 0.0

    def monotonic(self) -> float:
        return self.waited

    def sleep(self, seconds: float) -> None:
        self.waited += seconds


@contextmanager
def sensor_clock() -> Iterator[SensorClock]:
    """Give sensors such a clock until the end of the block."""
    from airflow.sdk.bases import sensor

    clock = SensorClock()
    with mock.patch.object(sensor, "time", clock):
        yield clock


class FastClock:
    """What sensors need of the modules `time` and `timezone`, by a clock that is `pace` times faster than the real one.

    Args:
        pace: how much faster.
        since: when both clocks showed the same.
    """

    def __init__(self, pace: Pace, since: datetime) -> None:
        self._pace = pace
        self._since = since

    def monotonic(self) -> float:
        return time.monotonic() * self._pace.factor

    def sleep(self, seconds: float) -> None:
        time.sleep(self._pace.poll(seconds))

    def utcnow(self) -> datetime:
        return self._since + (datetime.now(UTC) - self._since) * self._pace.factor

    def real(self, then: datetime) -> datetime:
        """Return the moment that is as far from now as `then` is by this clock."""
        return datetime.now(UTC) + (then - self.utcnow())

    def __getattr__(self, name: str) -> Any:
        from airflow.sdk import timezone

        return getattr(timezone, name)


def hurry_sensors(clock: FastClock) -> None:
    """Have the sensors of this process wait by a faster clock, for the rest of its life."""
    from airflow.sdk.bases import sensor

    # read by what the sensor itself compares: its timeout, and when it is to poke again
    sensor.time, sensor.timezone = clock, clock
    told = sensor.AirflowRescheduleException
    sensor.AirflowRescheduleException = lambda date: told(clock.real(date))
    for name in _DATED:
        module: Any = sys.modules.get(name)
        if module is not None:
            module.timezone = clock
            if hasattr(module, "sleep"):
                module.sleep = clock.sleep
