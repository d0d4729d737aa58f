"""Measures the budgets side by side: ours and what it is compared with take turns in one run, on one machine.

`make bench` writes docs/performance.md. A bar that is missed is stated there; it is no error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "performance.md"
#: what the environments of the suite hold, without the DAGs
SERVICES = {
    "postgres": "{databases: [warehouse]}",
    "s3": "{buckets: [landing, lake]}",
    "kafka": "{topics: {orders: {partitions: 3}}}",
    "spark": "{packages: [delta, kafka, s3, postgres]}",
}
#: a DAG file of the generated projects
DAG_FILE = """\
from datetime import timedelta
import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag, task


@dag(schedule="@daily", start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["orders"])
def orders_{number}():
    @task(retries=2, execution_timeout=timedelta(minutes=5))
    def extract(ds=None):
        return {{"day": ds, "rows": [1, 2, 3]}}

    @task(retries=2, execution_timeout=timedelta(minutes=5))
    def transform(batch):
        return sum(batch["rows"])

    report = BashOperator(task_id="report", bash_command="echo {{{{ ds }}}}", retries=1)
    transform(extract()) >> report


orders_{number}()
"""
#: seconds for one cold start in its own process, before it is given up
PATIENCE = 600


@dataclass(frozen=True)
class Row:
    """One measured budget.

    Args:
        what: is measured.
        ours: seconds, the median of the rounds.
        against: what it is compared with, in words.
        theirs: seconds, the median of the rounds.
        bar: what `value` may be at most.
        as_difference: compare ours - theirs (seconds), not ours / theirs.
    """

    what: str
    ours: float
    against: str
    theirs: float
    bar: float
    as_difference: bool = False

    @property
    def value(self) -> float:
        return self.ours - self.theirs if self.as_difference else self.ours / self.theirs

    @property
    def met(self) -> bool:
        return self.value <= self.bar


def in_turns(rounds: int, *measure: Callable[[], float]) -> list[float]:
    """Call the measurements in turns, so that a slow minute of the machine hits all of them; return their medians."""
    taken = [[one() for one in measure] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]


def help_page(rounds: int) -> list[Row]:
    """CPU time of `harness --help` above that of an interpreter that does nothing."""
    ours, bare = in_turns(
        max(rounds, 7), lambda: cpu(sys.executable, "-m", "harness", "--help"), lambda: cpu(sys.executable, "-c", "")
    )
    return [Row("CPU of `harness --help`", ours, "bare Python", bare, 0.3, as_difference=True)]


def environment_start(rounds: int) -> list[Row]:
    """All four embedded services from nothing, against the one of them that takes longest alone."""
    together, *alone = in_turns(
        rounds, lambda: probe("start", *SERVICES), *(lambda name=name: probe("start", name) for name in SERVICES)
    )
    slowest, name = max(zip(alone, SERVICES, strict=True))
    return [Row("start of all four services, cold", together, f"start of {name} alone, cold", slowest, 1.2)]


def first_write(rounds: int) -> list[Row]:
    """From nothing to the first Delta table: four services, Spark and S3 among them, against Spark by itself."""
    ours, plain = in_turns(rounds, lambda: probe("first_write"), lambda: probe("plain_spark"))
    against = "plain SparkSession and first Delta write to disk, jars at hand"
    return [Row("four services cold, and the first Delta write to S3", ours, against, plain, 0.4)]


def attach(rounds: int) -> list[Row]:
    """A second process that wants the same services, against the first."""
    with session(SERVICES) as held:
        cold = held.attach_seconds
        (warm,) = in_turns(max(rounds, 5), lambda: probe("start", *SERVICES))
    return [
        Row("attach to running services", warm, "their cold start", cold, 0.1),
        Row("attach to running services", warm, "nothing", 0.0, 1.0, as_difference=True),
    ]


def check(rounds: int) -> list[Row]:
    """`harness check` with all rules against one process that imports Airflow and fills a DagBag."""
    return [row for files in (50, 500) for row in check_files(files, rounds)]


def check_files(files: int, rounds: int) -> list[Row]:
    """The rows of one folder: nothing known, nothing changed, one file changed."""
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        generate(project, files)

        def all_new() -> float:
            return wall(project, sys.executable, "-m", "harness", "check", "dags", "--no-cache")

        def unchanged() -> float:
            return wall(project, sys.executable, "-m", "harness", "check", "dags")

        def one_changed() -> float:
            with (project / "dags" / "orders_0.py").open("a") as file:
                file.write("# changed\n")
            return unchanged()

        unchanged()
        medians = in_turns(rounds, lambda: probe("dag_bag", str(project / "dags")), all_new, unchanged, one_changed)
    bag, new, same, changed = medians
    against = "import of Airflow, and DagBag"
    return [
        Row(f"check of {files} files, all new", new, against, bag, 1.0),
        Row(f"check of {files} files, nothing changed", same, against, bag, 0.1),
        Row(f"check of {files} files, one changed", changed, against, bag, 0.15),
    ]


def generate(project: Path, files: int) -> None:
    """Write a project of DAG files that differ in their names."""
    (project / "dags").mkdir()
    (project / "pyproject.toml").write_text("[tool.harness.check]\n")
    for number in range(files):
        (project / "dags" / f"orders_{number}.py").write_text(DAG_FILE.format(number=number))


MEASUREMENTS: Mapping[str, Callable[[int], list[Row]]] = {
    "help": help_page,
    "start": environment_start,
    "write": first_write,
    "attach": attach,
    "check": check,
}


def cpu(*command: str) -> float:
    """Run a command and return the user and system time that it took, in seconds."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: `{' '.join(command)}` ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def wall(folder: Path, *command: str) -> float:
    """Run a command that may find something (exit code 1) and return the seconds that it took."""
    began = time.monotonic()
    ended = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, timeout=PATIENCE, check=False)
    if ended.returncode not in (0, 1):
        raise SystemExit(f"bench: `{' '.join(command)}` ended with {ended.returncode}")
    return time.monotonic() - began


def probe(name: str, *arguments: str) -> float:
    """Call one of the functions below in a process of its own, and return the seconds that it measured."""
    command = [sys.executable, __file__, "--probe", name, *arguments]
    ended = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, timeout=PATIENCE, check=False)
    if ended.returncode:
        raise SystemExit(f"bench: `{' '.join(command)}` ended with {ended.returncode}")
    return float(json.loads(ended.stdout.splitlines()[-1]))


def start(*services: str) -> float:
    """Start these services and nothing else; the seconds until all of them answered."""
    began = time.monotonic()
    with session(services):
        return time.monotonic() - began


def first_write_from_nothing() -> float:
    """Start all services and write a Delta table to S3; the seconds for both."""
    began = time.monotonic()
    with session(SERVICES) as held, held.namespace() as namespace:
        bucket = namespace.services["s3"].slice.physical("bucket", "lake")
        write_delta(namespace.services["spark"].client, f"s3a://{bucket}/bench")
        return time.monotonic() - began


def plain_spark() -> float:
    """Do what the documentation of Delta shows, in the quickest way: jars given as files, table on the disk."""
    from harness.engines.jars import jars

    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.master("local[2]").config("spark.ui.showConsoleProgress", "false")
        builder = builder.config("spark.ui.enabled", "false")
        builder = builder.config("spark.jars", ",".join(map(str, jars("spark"))))
        builder = builder.config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        catalog = "org.apache.spark.sql.delta.catalog.DeltaCatalog"
        spark = builder.config("spark.sql.catalog.spark_catalog", catalog).getOrCreate()
        write_delta(spark, f"{folder}/bench")
        taken = time.monotonic() - began
        spark.stop()
    return taken


def dag_bag(folder: str) -> float:
    """Import Airflow and parse a folder, one file after the other; the seconds for both."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        began = time.monotonic()
        from airflow.dag_processing.dagbag import DagBag

        found = DagBag(folder)
        taken = time.monotonic() - began
    if found.import_errors or not found.dags:
        raise SystemExit(f"bench: the DagBag has {len(found.dags)} DAGs and {found.import_errors}")
    return taken


PROBES: Mapping[str, Callable[..., float]] = {
    "start": start,
    "first_write": first_write_from_nothing,
    "plain_spark": plain_spark,
    "dag_bag": dag_bag,
}


def write_delta(spark: Any, path: str) -> None:
    """Write a small table; the first one loads most of Delta's classes."""
    spark.range(1000).write.format("delta").save(path)


def session(services: Iterable[str]) -> Any:
    """Return a session, not yet started, of an environment that holds only these services."""
    from harness.environment import Environment
    from harness.session.client import Session

    lines = ["stage: dev", "services:", *(f"  {name}: {SERVICES[name]}" for name in services)]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench.yaml").write_text("\n".join(lines) + "\n")
        environment = Environment.load("bench", folder=folder, project=ROOT)
    return Session(environment)


def machine() -> str:
    """Describe the machine in one line."""
    import psutil

    from harness.doctor.model import gibibytes
    from harness.doctor.runtime import archives, java

    facts = [
        f"{cpu_model()}, {os.cpu_count()} cores, {gibibytes(psutil.virtual_memory().total)}",
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}, Java {java().seen.partition(' in ')[0]}",
        f"class-data archives: {archives().seen.partition(' in ')[0]}",
        f"load at the beginning {os.getloadavg()[0]:.1f}",
    ]
    return "; ".join(facts)


def cpu_model(info: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name, where the system tells it."""
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def render(rows: Iterable[Row], where: str, when: datetime, rounds: int) -> str:
    """Write the page."""
    lines = [
        "# Performance",
        "",
        f"Measured on {when:%Y-%m-%d} by `make bench`: {where}.",
        "",
        f"Both sides of a row were measured in turns within one run; figures are medians of {rounds} rounds or more.",
        "A ratio travels from machine to machine better than seconds do.",
        "",
        "| what | ours | against | theirs | value | bar | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        unit = " s" if row.as_difference else ""
        lines.append(
            f"| {row.what} | {row.ours:.2f} s | {row.against} | {row.theirs:.2f} s | "
            f"{row.value:.2f}{unit} | <= {row.bar:g}{unit} | {'met' if row.met else '**missed**'} |"
        )
    return "\n".join([*lines, ""])


def main() -> int:
    """Measure all, or only what is named, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", help=f"of {', '.join(MEASUREMENTS)}; then the page is printed, not written")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured")
    parser.add_argument("--probe", choices=PROBES, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.probe:
        print(json.dumps(PROBES[asked.probe](*asked.only)))
        return 0
    if unknown := set(asked.only) - set(MEASUREMENTS):
        parser.error(f"no measurement is called {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
    where = machine()
    rows: list[Row] = []
    for name in asked.only or MEASUREMENTS:
        print(f"bench: {name} ...", file=sys.stderr, flush=True)
        rows += MEASUREMENTS[name](asked.rounds)
    page = render(rows, where, datetime.now(UTC), asked.rounds)
    if not asked.only:
        REPORT.write_text(page, encoding="utf-8")
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
