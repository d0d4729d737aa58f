"""Where the processes of a run note which faults fired: one line each in a file of the run's folder."""

from __future__ import annotations

import os
from pathlib import Path

from harness.models.fault import Fired

FILE = "faults.jsonl"


def note(path: Path, fired: Fired) -> None:
    """Append a line; whole even when the process is killed right after it, and when several processes write."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, fired.model_dump_json().encode() + b"\n")
    finally:
        os.close(file)


def read(path: Path, run_id: str) -> tuple[Fired, ...]:
    """Return what fired in one run, in that order."""
    if not path.is_file():
        return ()
    found = (Fired.model_validate_json(line) for line in path.read_bytes().splitlines())
    return tuple(fired for fired in found if fired.run_id == run_id)
