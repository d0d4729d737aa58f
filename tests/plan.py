"""Plans the suite as a budget: what costs most begins first, a shard is a fair share, and the end says what took long.

What a file of tests costs is kept in `durations.json`; `--keep-durations` writes there what this run has measured.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

KEPT = Path(__file__).with_name("durations.json")
TIMES = "CI_TIMES"
"""Names a file of what was done before the suite: lines of seconds, a tab, and the words for it."""
LEFT_OUT = "left out: "
SINGLE = ("tests/harness/proofs/",)
"""Files of which a worker is given one test at a time: each costs much, and shares only a session with the others."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("plan", "what of the suite is run, and in which order")
    group.addoption("--full", action="store_true", help="also what is marked `full`")
    group.addoption("--shard", metavar="I/N", help="of N shares of equal cost, the files of tests of the I-th")
    group.addoption("--time-limit", metavar="SECONDS", type=float, help="leave out, loudly, what has not begun by then")
    group.addoption("--keep-durations", action="store_true", help=f"write what was measured into {KEPT.name}")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Record(config), "plan-record")
    if limit := config.getoption("--time-limit"):
        config.pluginmanager.register(Limit(limit), "plan-limit")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose, and put the files that cost most first; within a file and an environment, the order stays."""
    costs = expected({file_of(item) for item in items}, kept())
    chosen = [item for item in items if config.getoption("--full") or item.get_closest_marker("full") is None]
    if shard := config.getoption("--shard"):
        files = share(costs, *map(int, shard.split("/")))
        chosen = [item for item in chosen if file_of(item) in files]
    if len(chosen) < len(items):
        taken = set(chosen)
        config.hook.pytest_deselected(items=[item for item in items if item not in taken])
    # to and fro between environments would start their services anew each time
    turn = {name: number for number, name in enumerate(dict.fromkeys(filter(None, map(environment_of, items))))}
    items[:] = sorted(
        chosen, key=lambda item: (turn.get(environment_of(item), 0), -costs[file_of(item)], file_of(item))
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a worker whole files, or single tests where a file's tests have only a session in common."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid if nodeid.startswith(SINGLE) else super()._split_scope(nodeid)

    return Scheduling(config, log)


def kept() -> dict[str, float]:
    """Return what each file of tests cost when it was last measured, in seconds."""
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}


def expected(files: Collection[str], known: Mapping[str, float]) -> dict[str, float]:
    """Return what each file will cost, in seconds; one that was never measured is taken to be as the middle one."""
    middle = statistics.median(known.values()) if known else 1.0
    return {file: known.get(file, middle) for file in files}


def share(costs: Mapping[str, float], number: int, shards: int) -> set[str]:
    """Return the files of one of so many shards of about the same cost; each file is in exactly one of them.

    Args:
        costs: file to seconds.
        number: which shard, from 1.
        shards: how many there are.
    """
    if not 1 <= number <= shards:
        raise pytest.UsageError(f"--shard {number}/{shards}: the first number is between 1 and the second")
    loads, files = [0.0] * shards, [set[str]() for _ in range(shards)]
    for file in sorted(costs, key=lambda file: (-costs[file], file)):
        least = loads.index(min(loads))
        loads[least] += costs[file]
        files[least].add(file)
    return files[number - 1]


def file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def environment_of(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get("environment_name", "")) if callspec is not None else ""


class Limit:
    """Leaves out the tests that have not begun when the time is over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until = time.monotonic() + seconds

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if time.monotonic() > self.until:
            pytest.skip(f"{LEFT_OUT}the {self.seconds:.0f} s of the suite were over")


class Record:
    """Sums up the seconds of each file of tests, over all workers."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.began = time.monotonic()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.tests: Counter[str] = Counter()
        self.left_out = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = report.nodeid.partition("::")[0]
        self.seconds[file] += report.duration
        self.tests[file] += report.when == "setup"
        self.left_out += report.skipped and LEFT_OUT in str(report.longrepr)

    def pytest_sessionfinish(self) -> None:
        if self.config.getoption("--keep-durations"):
            measured = {file: round(seconds, 1) for file, seconds in self.seconds.items()}
            there = {
                file: seconds for file, seconds in (kept() | measured).items() if (KEPT.parents[1] / file).exists()
            }
            KEPT.write_text(json.dumps(dict(sorted(there.items())), indent=0) + "\n")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.left_out:
            terminalreporter.write_sep(
                "!", f"{self.left_out} tests were left out for want of time", red=True, bold=True
            )
        if before := os.environ.get(TIMES):
            terminalreporter.section("what took how long")
            for line in table(Path(before).read_text().splitlines(), self.folders(), time.monotonic() - self.began):
                terminalreporter.write_line(line)

    def folders(self) -> list[tuple[float, int, str]]:
        """Return seconds, number of tests and name of each folder, by its first three names; the longest first."""
        sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0])
        for file, seconds in self.seconds.items():
            folder = "/".join(Path(file).parent.parts[:3])
            sums[folder][0] += seconds
            sums[folder][1] += self.tests[file]
        return sorted(((seconds, int(count), folder) for folder, (seconds, count) in sums.items()), reverse=True)


def table(before: Sequence[str], folders: Sequence[tuple[float, int, str]], whole: float) -> list[str]:
    """Return what was done before the suite, the suite, and its folders, a line each.

    Args:
        before: lines of seconds, a tab, and the words for it.
        folders: seconds of all workers together, number of tests, name.
        whole: seconds of the suite by the clock.
    """
    rows = [(float(seconds), what) for seconds, _, what in (line.partition("\t") for line in before)]
    lines = [f"{seconds:7.0f} s  {what}" for seconds, what in [*rows, (whole, "the suite, of which on all workers:")]]
    lines += [f"{seconds:13.0f} s {count:6} tests  {name}" for seconds, count, name in folders]
    return [*lines, f"{sum(seconds for seconds, _ in rows) + whole:7.0f} s  all of it"]
