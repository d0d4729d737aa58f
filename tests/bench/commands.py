"""The command line: what its help page costs, and what a check of many files does."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.rows import Row
from tests.bench.surroundings import checked_project
from tests.bench.timing import BenchError, cpu, in_turns, probe, wall


def help_page(rounds: int) -> list[Row]:
    """CPU time of `harness --help` above that of an interpreter that does nothing."""
    ours, bare = in_turns(
        max(rounds, 7), lambda: cpu(sys.executable, "-m", "harness", "--help"), lambda: cpu(sys.executable, "-c", "")
    )
    return [Row("CPU of `harness --help`", ours, "bare Python", bare, 0.3, "difference")]


def check(rounds: int) -> list[Row]:
    """`harness check` with all rules against one process that imports Airflow and fills a DagBag."""
    return [row for files in (50, 500) for row in check_files(files, rounds)]


def check_files(files: int, rounds: int) -> list[Row]:
    """The rows of one folder: nothing known, nothing changed, one file changed."""
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        checked_project(project, files)

        # findings are exit code 1
        def all_new() -> float:
            return wall(project, sys.executable, "-m", "harness", "check", "dags", "--no-cache", allowed=(0, 1))

        def unchanged() -> float:
            return wall(project, sys.executable, "-m", "harness", "check", "dags", allowed=(0, 1))

        def one_changed() -> float:
            with (project / "dags" / "orders_0.py").open("a") as file:
                file.write("# changed\n")
            return unchanged()

        unchanged()
        medians = in_turns(rounds, lambda: probe(dag_bag, str(project / "dags")), all_new, unchanged, one_changed)
    bag, new, same, changed = medians
    against = "import of Airflow, and DagBag"
    return [
        Row(f"check of {files} files, all new", new, against, bag, 1.0),
        Row(f"check of {files} files, nothing changed", same, against, bag, 0.1),
        Row(f"check of {files} files, one changed", changed, against, bag, 0.15),
    ]


def dag_bag(folder: str) -> float:
    """Import Airflow and parse a folder, one file after the other; the seconds for both."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        began = time.perf_counter()
        from airflow.dag_processing.dagbag import DagBag

        found = DagBag(folder)
        taken = time.perf_counter() - began
    if found.import_errors or not found.dags:
        raise BenchError(f"the DagBag has {len(found.dags)} DAGs and {found.import_errors}")
    return taken
