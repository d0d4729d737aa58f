"""`python -m tests.bench [NAME ...]`, from the root of the repository.

`make bench` writes docs/performance.md. A bar that is missed is stated there; it is no error. Measurements that are
named are printed and nothing is written.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from harness.errors import HarnessError
from tests.bench import commands, fingerprints, namespaces, proxies, runs, starting, submitting, suite
from tests.bench.machine import machine
from tests.bench.page import render
from tests.bench.rows import Line, Unmeasured
from tests.bench.timing import ROOT, BenchError, within

REPORT = ROOT / "docs" / "performance.md"
#: name -> (what to call with the number of rounds, seconds for a round)
MEASUREMENTS: Mapping[str, tuple[Callable[[int], Sequence[Line]], float]] = {
    "help": (commands.help_page, 60),
    "start": (starting.environment_start, 300),
    "write": (starting.first_write, 300),
    "attach": (starting.attach, 300),
    "run": (runs.whole_dag, 600),
    "task": (runs.task_overhead, 300),
    "namespace": (namespaces.per_test, 300),
    "submit": (submitting.job, 300),
    "check": (commands.check, 600),
    "fingerprint": (fingerprints.large_tables, 600),
    "proxy": (proxies.fault_proxy, 200),
    "suite": (suite.two_processes, 2 * suite.PATIENCE),
}


def measured(name: str, rounds: int) -> Sequence[Line]:
    """Take one measurement; one that fails becomes a line that says so, since the others may have taken an hour."""
    measure, seconds = MEASUREMENTS[name]
    try:
        with within(seconds * max(rounds, 3)):
            return measure(rounds)
    except (BenchError, HarnessError, OSError) as error:
        print(f"bench: {name}: {error}", file=sys.stderr)
        return [Unmeasured(f"`{name}`", "-", str(error).partition("\n")[0], failed=True)]


def let_bytecode_be_kept() -> None:
    """Let Python keep what it compiles, as it does for users: without that every process compiles Airflow again.

    Containers and CI jobs often forbid it; both sides of most rows would then measure Python's compiler.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all, or only what is named; 1 when a measurement failed."""
    parser = argparse.ArgumentParser(
        "python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("only", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}; printed, not written")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured (default: 3)")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.only) - set(MEASUREMENTS):
        parser.error(f"no measurement is called {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
    if asked.rounds < 1:
        parser.error("--rounds is 1 or more")
    let_bytecode_be_kept()
    where = machine()
    lines: list[Line] = []
    for name in asked.only or MEASUREMENTS:
        print(f"bench: {name} ...", file=sys.stderr, flush=True)
        lines += measured(name, asked.rounds)
    page = render(lines, where, datetime.now(UTC), asked.rounds)
    if not asked.only:
        REPORT.write_text(page, encoding="utf-8")
    print(page)
    return int(any(isinstance(line, Unmeasured) and line.failed for line in lines))


if __name__ == "__main__":
    sys.exit(main())
