"""How things are timed: in turns, in processes of their own, and never longer than a deadline."""

from __future__ import annotations

import importlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
#: seconds for one command, before it is given up
PATIENCE = 600.0


class BenchError(Exception):
    """A measurement cannot be had; its words end up in the table."""


def in_turns(rounds: int, *measure: Callable[[], float]) -> list[float]:
    """Call the measurements in turns, so that a slow minute of the machine hits all of them; return their medians."""
    taken = [[one() for one in measure] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]


def timed(act: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


@contextmanager
def within(limit: float) -> Iterator[None]:
    """Raise BenchError in the main thread when the block takes longer than `limit` seconds."""

    def give_up(signum: int, frame: FrameType | None) -> NoReturn:
        raise BenchError(f"no end after {limit:g} s")

    handler = signal.signal(signal.SIGALRM, give_up)
    # a test that calls this has a deadline by the same signal
    timer = signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


def cpu(*command: str) -> float:
    """Run a command and return the user and system time that it took, in seconds; a deadline is the caller's."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT) as process:
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchError(f"`{' '.join(command)}` ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def wall(
    folder: Path,
    *command: str,
    allowed: Sequence[int] = (0,),
    environ: Mapping[str, str] | None = None,
    patience: float = PATIENCE,
) -> float:
    """Run a command, and return the seconds that it took.

    Args:
        folder: where it runs.
        command: with its arguments.
        allowed: exit codes of a command that did its work.
        environ: variables to set besides those of this process.
        patience: seconds after which it is given up.
    """
    began = time.perf_counter()
    _run(command, folder, allowed, {**os.environ, **(environ or {})}, patience)
    return time.perf_counter() - began


def probe(
    function: Callable[..., float], *arguments: str, environ: Mapping[str, str] | None = None, python: str | None = None
) -> float:
    """Call a function of this package in a process of its own, and return the seconds that it measured.

    Args:
        function: at a module's top level; it is imported there again.
        arguments: given to it, as strings.
        environ: variables that the process finds before it imports anything.
        python: another environment's interpreter; ours by default.
    """
    target = f"{function.__module__}:{function.__qualname__}"
    command = [python or sys.executable, "-m", "tests.bench.timing", target, *arguments]
    said = _run(command, ROOT, (0,), {**os.environ, **(environ or {})}, PATIENCE)
    return float(json.loads(said.splitlines()[-1]))


def _run(
    command: Sequence[str], folder: Path, allowed: Sequence[int], environ: Mapping[str, str], patience: float
) -> str:
    try:
        ended = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=patience, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise BenchError(f"`{' '.join(command)}` had not ended after {patience:g} s") from late
    if ended.returncode not in allowed:
        said = (ended.stderr.strip() or ended.stdout.strip()).splitlines()[-15:]
        raise BenchError("\n".join([f"`{' '.join(command)}` ended with {ended.returncode}", *said]))
    return ended.stdout


def main(target: str, *arguments: str) -> None:
    """Be the process of a probe: print what the function returns, after all that it and its libraries print."""
    module, _, name = target.partition(":")
    taken = getattr(importlib.import_module(module), name)(*arguments)
    sys.stdout.write(f"\n{json.dumps(taken)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
