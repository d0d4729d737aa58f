"""What can be made to go wrong in a run, and what was seen of it; plain data that travels with a request."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from harness.models.base import Frozen


class TaskFault(Frozen):
    """A task fails, or its process dies, at one moment.

    Args:
        task: name of the task; `load` means all of `load[...]` too.
        attempt: number of the try, from 1; None means every try.
        moment: before the task's `execute`, after it, or directly after an acknowledged write.
        write: which write of the try, from 1; goes with `at_write`.
        how: an exception inside the task, or SIGKILL of its process.
    """

    type: Literal["task"] = "task"
    task: str
    attempt: PositiveInt | None = 1
    moment: Literal["before", "after", "at_write"] = "before"
    write: PositiveInt | None = None
    how: Literal["raise", "kill"] = "raise"

    @model_validator(mode="after")
    def _write_goes_with_its_moment(self) -> Self:
        if (self.write is None) is (self.moment == "at_write"):
            raise ValueError("'write' goes with the moment 'at_write', and with no other")
        return self

    def hits(self, task: str, attempt: int) -> bool:
        """Tell whether it is meant for a try of a task, by the task's name with its map index."""
        return _hits(self.task, self.attempt, task, attempt)

    def __str__(self) -> str:
        where = f"after its write {self.write}" if self.moment == "at_write" else f"{self.moment} its work"
        return f"{self.task} {'is killed' if self.how == 'kill' else 'fails'} {where}"


class Outage(Frozen):
    """A service cannot be used, or hardly, while a task runs.

    Args:
        service: its name in the environment.
        during: name of the task.
        attempt: number of the try, from 1; None means every try.
        kind: `refuse` connections; `reset` them after `after_bytes`; `blackhole`: accept and never answer; `delay`
            each answer by `seconds`; `slow`: `bytes_per_second`; `http_503` to each request; `truncate` each body
            after `after_bytes`.
        after_bytes: of what the service answers on one connection (`reset`), or in one body (`truncate`).
        seconds: delay of each answer.
        bytes_per_second: of each connection, in each direction.
        lasts: seconds from the try's start after which it is over; None means the whole try.
    """

    type: Literal["outage"] = "outage"
    service: str
    during: str
    attempt: PositiveInt | None = 1
    kind: Literal["refuse", "reset", "blackhole", "delay", "slow", "http_503", "truncate"] = "refuse"
    after_bytes: NonNegativeInt = 0
    seconds: NonNegativeFloat = 1.0
    bytes_per_second: PositiveInt = 10_000
    lasts: PositiveFloat | None = None

    def hits(self, task: str, attempt: int) -> bool:
        """Tell whether it is meant for a try of a task, by the task's name with its map index."""
        return _hits(self.during, self.attempt, task, attempt)

    def __str__(self) -> str:
        return f"{self.service} is out ({self.kind}) during {self.during}"


class Clock(Frozen):
    """The tasks see another time. One of the two is given.

    Args:
        shift_seconds: how far from now; negative is the past.
        at: the moment at which each task begins; with a time zone.
    """

    type: Literal["clock"] = "clock"
    shift_seconds: float | None = None
    at: datetime | None = None

    @model_validator(mode="after")
    def _either_or(self) -> Self:
        if (self.shift_seconds is None) is (self.at is None):
            raise ValueError("a clock has either 'shift_seconds' or 'at'")
        if self.at is not None and self.at.tzinfo is None:
            raise ValueError("'at' needs a time zone")
        return self

    def __str__(self) -> str:
        return f"the clock stands at {self.at}" if self.at else f"the clock is {self.shift_seconds:+g} s off"


class RecordWrites(Frozen):
    """The run notes each acknowledged write; tasks run one at a time for it."""

    type: Literal["record"] = "record"

    def __str__(self) -> str:
        return "writes are recorded"


Fault = Annotated[TaskFault | Outage | Clock | RecordWrites, Field(discriminator="type")]


class WritePoint(Frozen):
    """One mutating operation that a store acknowledged.

    Args:
        task: name of the task, with its map index.
        attempt: number of the try.
        ordinal: place among the writes of that try, over all services, from 1.
        service: name of the service in the environment.
        role: of the service.
        operation: `PUT`, `POST`, `DELETE`, `COMMIT`, `PRODUCE`, `OFFSETS` ...
        target: what was written, under physical names: `bucket/key`, `database: tables`, a topic.
    """

    task: str
    attempt: int
    ordinal: int
    service: str
    role: str
    operation: str
    target: str

    def __str__(self) -> str:
        return f"write {self.ordinal} of {self.task}: {self.operation} {self.target} ({self.service})"


class Fired(Frozen):
    """A fault that took place; one that is asked for and never fired says so by its absence.

    Args:
        task: name of the task, with its map index.
        attempt: number of the try.
        run_id: the run whose task it was.
    """

    fault: Fault
    task: str
    attempt: int
    run_id: str = ""


def unmapped(task: str) -> str:
    """Return a task's name without its map index: all of `load[...]` are `load`."""
    return task.partition("[")[0]


def _hits(wanted: str, number: int | None, task: str, attempt: int) -> bool:
    return wanted in (task, unmapped(task)) and number in (None, attempt)
