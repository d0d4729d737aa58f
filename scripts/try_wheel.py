"""Uses the installed package as a newcomer does, in an empty project: init, check, run, report; `tox -e wheel`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HARNESS = Path(sys.executable).parent / "harness"
DAG = """
from airflow.sdk import dag, task


@dag(schedule=None)
def hello():
    @task
    def greet() -> str:
        return "hello"

    greet()


hello()
"""
STEPS = (
    ("init",),
    ("check",),
    ("run", "hello", "--env", "dev", "--date", "2026-01-01"),
    ("report", "--junit", "junit.xml"),
)


def main() -> int:
    """Return 0 when each command does its work, from files that the wheel holds."""
    where = subprocess.run(
        [sys.executable, "-P", "-c", "import harness; print(harness.__file__)"],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    if Path(where).is_relative_to(ROOT / "harness"):
        print(f"try_wheel: harness comes from the checkout, not from a wheel: {where}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="harness-wheel-") as folder:
        project = Path(folder)
        (project / "dags").mkdir()
        (project / "dags" / "hello.py").write_text(DAG)
        for words in STEPS:
            print(f"$ harness {' '.join(words)}", flush=True)
            done = subprocess.run([HARNESS, *words], cwd=project, check=False, stdin=subprocess.DEVNULL)
            if done.returncode:
                return done.returncode
        pages = list(project.glob(".harness/runs/*/report.html"))
    print(f"try_wheel: {len(pages)} page")
    return 0 if len(pages) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
