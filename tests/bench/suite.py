"""Tests in two processes against one: whether what a session shares serves more than one client."""

from __future__ import annotations

import sys

from tests.bench.rows import Row
from tests.bench.timing import ROOT, in_turns, wall

PART = ("tests/harness/runner", "tests/harness/state")
#: seconds for the part, once
PATIENCE = 900.0


def two_processes(rounds: int) -> list[Row]:
    """A part of the suite, since all of it would take longer than all other measurements."""
    two, one = in_turns(rounds, lambda: tests("2"), lambda: tests("0"))
    what = f"`pytest -n 2`, a part of the suite ({' and '.join(PART)})"
    return [Row(what, two, "`pytest -n 0`", one, 0.6)]


def tests(processes: str) -> float:
    """Run the part in so many worker processes; the seconds."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", processes, *PART]
    return wall(ROOT, *command, patience=PATIENCE)
