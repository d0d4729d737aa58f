"""What can go wrong, and whose turn it is then.

::

    HarnessError
      ConfigError          the user's files or arguments are wrong: file, line, what, a hint
        PluginError        a plugin's module cannot be used
      ServiceError         a service did not start or was lost: role, engine, last log lines
        StartTimeout       it was started, and never answered a round trip
        Crashed            its process ended
        Unreachable        nothing answers at its address
      RunError             a run could not be judged
        DeadlineExceeded   it was still running when its time was up
        WorkerLost         the process that ran it is gone
      NothingChecked       there was nothing to check, which is not a success
      GateRefused          which requirement, which evidence, what to do

Every class carries the exit code of its kind (design: 1 verdict, 2 configuration, 3 service, 4 nothing checked), so
that the command line has one place that turns an error into an end.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class HarnessError(Exception):
    """Base of all errors that are raised on purpose; `str(error)` is what a user reads."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class ConfigError(HarnessError):
    """The user's files or arguments are wrong.

    Args:
        message: what is wrong, without its place.
        path: the file, shown as given.
        line: 1-based, as editors count.
        column: 1-based.
        hint: what to write instead.
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        path: Path | str | None = None,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.path, self.line, self.column = path, line, column

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)
        return f"{place}: {super().__str__()}" if place else super().__str__()


class PluginError(ConfigError):
    """A plugin's module cannot be used.

    Args:
        message: what is wrong, without its place.
        module: as the environment names it; None for an installed plugin.
        hint: what to write instead.
    """

    def __init__(self, message: str, *, module: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.module = module


class ServiceError(HarnessError):
    """A service did not start or was lost.

    Args:
        message: what was tried and what was last seen.
        role: the service's name in the environment.
        engine: how it was served.
        log: its last log lines, oldest first.
        hint: the next step.
    """

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        role: str | None = None,
        engine: str | None = None,
        log: tuple[str, ...] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.role, self.engine, self.log = role, engine, log

    def __str__(self) -> str:
        who = f"{self.role} ({self.engine})" if self.engine else self.role
        head = f"{who}: {super().__str__()}" if who else super().__str__()
        return "\n".join([head, *(f"  | {line}" for line in self.log)])


class StartTimeout(ServiceError):
    """The service was started and never answered a round trip."""


class Crashed(ServiceError):
    """The service's process ended."""


class Unreachable(ServiceError):
    """Nothing answers at the service's address."""


class RunError(HarnessError):
    """A run could not be judged."""


class DeadlineExceeded(RunError):
    """The run was still going when its time was up."""


class WorkerLost(RunError):
    """The process that ran it is gone."""


class NothingChecked(HarnessError):
    """There was nothing to check, which is not a success."""

    exit_code = 4


class GateRefused(HarnessError):
    """A requirement of the stage is not met by the evidence."""
