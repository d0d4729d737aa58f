"""Reads the structured log of a task try (JSON lines, as the Task SDK writes them)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: what a deferred task raises when its trigger has failed; the trigger's own error stands before it
_OF_A_TRIGGER = "TaskDeferralError"
#: how Py4J begins what a driver's error says
_PREAMBLE = "An error occurred while calling"


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the log's records in order; a line that is no record is one with its text as the event."""
    if not path.is_file():
        return
    for line in path.read_text(errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        yield record if isinstance(record, dict) else {"event": line}


def last_error(path: Path) -> str | None:
    """Return the last error's type and what it says first; None where the log has none."""
    found = None
    for record in entries(path):
        detail = record.get("error_detail")
        if isinstance(detail, list) and detail:
            if found is not None and detail[0].get("exc_type") == _OF_A_TRIGGER:
                continue
            # the list starts with the exception that was raised last
            found = f"{detail[0].get('exc_type', 'Error')}: {_gist(detail[0].get('exc_value', ''))}".rstrip(": ")
        elif detail is None and record.get("level") in ("error", "critical") and found is None:
            found = _gist(str(record.get("event", "")))
            if "exit_code" in record:
                found += f" with code {record['exit_code']}"
    return found


def _gist(text: str) -> str:
    """Return the first line that says something: details, such as a statement or a JVM's stack, come after it."""
    lines = [line.strip(" 	:") for line in str(text).strip().splitlines()]
    telling = [line for line in lines if line and not line.startswith(_PREAMBLE)]
    return next(iter(telling or lines), "")


def render(path: Path, lines: int | None = None) -> str:
    """Return the log as text, `time level message`, for people; the last `lines` of it."""
    out: list[str] = []
    for record in entries(path):
        when = str(record.get("timestamp", ""))[11:23]
        out.append(f"{when} {record.get('level', ''):<8} {record.get('event', '')}".rstrip())
        for error in record.get("error_detail") or []:
            out += [
                f"    {frame['filename']}:{frame['lineno']} in {frame['name']}" for frame in error.get("frames", [])
            ]
            out.append(f"    {error.get('exc_type')}: {error.get('exc_value')}")
    return "\n".join(out[-lines:] if lines else out)
