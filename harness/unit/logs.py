"""What code logs, by structlog or by the standard library, as plain entries that a test can compare."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_NOT_VALUES = {"event", "level", "logger", "timestamp", "loc", "positional_args", "exc_info", "exception"}


@dataclass(frozen=True)
class LogEntry:
    """One logged event; secrets in it are masked, as in Airflow's task log.

    Args:
        level: `debug`, `info`, `warning`, `error` or `critical`.
        event: the message, its arguments filled in.
        logger: name of the logger.
        values: key-value pairs of a structured event.
        error: the exception that was logged with it.
    """

    level: str
    event: str
    logger: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    error: BaseException | None = None


class Logs(list[LogEntry]):
    """Captured entries, in order."""

    def at(self, level: str) -> list[str]:
        """Return the messages of one level."""
        return [entry.event for entry in self if entry.level == level]

    @property
    def text(self) -> str:
        """All messages, one a line."""
        return "\n".join(entry.event for entry in self)


@contextmanager
def captured_logs() -> Iterator[Logs]:
    """Capture instead of print what is logged in the block, from level info up.

    Operators and hooks log through structlog, and most libraries through `logging`: both are captured. Captured
    records of `logging` are also handled as ever, so that pytest's `caplog` sees them.
    """
    logs = Logs()
    with _structlog_into(logs), _logging_into(logs):
        yield logs


@contextmanager
def _structlog_into(logs: Logs) -> Iterator[None]:
    import structlog

    def note(_logger: Any, method: str, event: Any) -> Any:
        logs.append(_of_event(method, dict(event)))
        raise structlog.DropEvent

    # identity must survive: bound loggers hold the list; the last processor is the one that makes text
    processors = structlog.get_config()["processors"]
    before = list(processors)
    processors[:] = [*before[:-1], note]
    try:
        yield
    finally:
        processors[:] = before


def _of_event(method: str, event: dict[str, Any]) -> LogEntry:
    from harness._compat.masking import masked

    level = str(event.get("level", method)).lower()
    values = {name: masked(value) for name, value in event.items() if name not in _NOT_VALUES}
    return LogEntry(
        {"warn": "warning", "exception": "error"}.get(level, level),
        str(masked(str(event.get("event", "")))),
        str(event.get("logger", "")),
        values,
        _error(event.get("exc_info")),
    )


@contextmanager
def _logging_into(logs: Logs) -> Iterator[None]:
    root, handler = logging.getLogger(), _Handler(logs)
    before = root.level
    root.addHandler(handler)
    root.setLevel(min(before or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


class _Handler(logging.Handler):
    def __init__(self, logs: Logs) -> None:
        super().__init__(logging.INFO)
        self.logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        from harness._compat.masking import masked

        message = str(masked(record.getMessage()))
        self.logs.append(LogEntry(record.levelname.lower(), message, record.name, {}, _error(record.exc_info)))


def _error(given: Any) -> BaseException | None:
    if given is True:
        import sys

        return sys.exc_info()[1]
    if isinstance(given, tuple):
        return given[1] if isinstance(given[1], BaseException) else None
    return given if isinstance(given, BaseException) else None
