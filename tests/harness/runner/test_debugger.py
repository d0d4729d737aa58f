from __future__ import annotations

import os
import pty
import select
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent

PROGRAM = """
import sys
from pathlib import Path
from harness.runner import Dates, RunRequest, run
from harness.session.forkclient import ForkClient
here, folder = Path(sys.argv[1]), Path(sys.argv[2])
report = run(
    RunRequest(dag_id="broken", dags_folder=here / "dags", project=here, folder=folder, dates=Dates(date="2026-01-02"),
               deadline=None, debugger=True),
    client=ForkClient("unused"),
)
print("REPORT", report.verdict, report.runs[0].states)
"""


def read_until(terminal: int, words: str, within: float = 200.0) -> str:
    seen, until = "", time.monotonic() + within
    while words not in seen:
        readable, _, _ = select.select([terminal], [], [], max(0.0, until - time.monotonic()))
        assert readable, f"{words!r} did not appear; the terminal shows:\n{seen}"
        try:
            seen += os.read(terminal, 4096).decode(errors="replace")
        except OSError:
            raise AssertionError(f"the program ended before {words!r} appeared; the terminal shows:\n{seen}") from None
    return seen


def test_post_mortem_of_a_failed_task_has_the_terminal_and_its_variables(tmp_path):
    home = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(HERE.parents[2])
        os.execve(sys.executable, [sys.executable, "-c", PROGRAM, str(HERE), str(tmp_path)], os.environ | home)
    try:
        read_until(terminal, "(Pdb)")
        os.write(terminal, b"p 'rows are', rows\n")
        read_until(terminal, "('rows are', 1)")
        os.write(terminal, b"q\n")
        end = read_until(terminal, "REPORT fail")
        end += read_until(terminal, "}") if "}" not in end else ""
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    assert "'load': 'failed', 'publish': 'upstream_failed'" in end
