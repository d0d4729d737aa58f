"""A clock for sensors that passes as they wait, instead of making them wait.

Bridges: a sensor in poke mode sleeps in `airflow.sdk.bases.sensor`, by that module's own name `time`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock


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
