"""Lends the tools that the harness is compared with a namespace for each DAG, and collects what they say."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from harness.api import Session
from tests.peers import peer_python
from tests.traps.catalogue import DAGS, HERE, Trap

ROOT = HERE.parent.parent
BOX = "pytest-airflow-in-a-box==0.13.1"
#: what the traps import, besides the plugin
BOX_NEEDS = (
    "apache-airflow",
    "apache-airflow-providers-standard",
    "apache-airflow-providers-amazon",
    "apache-airflow-providers-postgres",
    "psycopg[binary]",
    "confluent-kafka",
    "requests",
)
#: the date that is run; the one before and the one after have inputs too
DATE = "2026-01-02"
#: seconds for all DAGs of one tool
PATIENCE = 3600

#: DAG id -> what the tool complained of, by the way in which it shows
Answers = dict[str, dict[str, str]]


def with_airflow_alone(session: Session, traps: Sequence[Trap]) -> Answers:
    """Import every DAG into a DagBag, and run it by dag.test()."""
    ids = [trap.dag_id(kind) for trap in traps for kind in ("trap", "twin")]
    with airflow_home() as environ:
        return consult(session, [sys.executable, str(ROOT / "scripts" / "trap_peers.py"), *ids], environ)


def in_a_box(session: Session, traps: Sequence[Trap]) -> Answers:
    """Run the smoke tests of pytest-airflow-in-a-box on all DAG files, and each DAG by its `run_dag`.

    Raises:
        PeerError: the plugin cannot be installed.
    """
    python = peer_python(BOX, "-c", str(ROOT / "constraints.txt"), needs=BOX_NEEDS)
    ids = [trap.dag_id(kind) for trap in traps for kind in ("trap", "twin")]
    with airflow_home() as environ, tempfile.TemporaryDirectory() as name:
        folder, results = Path(name, "dags"), Path(name, "results.xml")
        folder.mkdir()
        for trap in traps:
            for kind in ("trap", "twin"):
                shutil.copy(trap.file(kind), folder)
        command = [python, "-m", "pytest", str(ROOT / "scripts" / "trap_box.py"), "--rootdir", name]
        command += ["-c", os.devnull, "-p", "no:cacheprovider", "-q", "--timeout=120", f"--dag-folder={folder}"]
        command += ["--airflow-smoke", f"--junit-xml={results}"]
        with session.namespace() as parsing:
            extra = {**parsing.environ, **environ, "TRAPS_DAG_IDS": " ".join(ids)}
            answers = consult(session, command, extra)
        for dag_id, words in smoke_failures(results, ids):
            answers.setdefault(dag_id, {})["imported"] = words
    return answers


def smoke_failures(results: Path, dag_ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the DAGs that a failed smoke test names, and that test's name."""
    for case in ET.parse(results).getroot().iter("testcase"):
        words = " ".join(
            (bad.text or "") + bad.get("message", "") for bad in [*case.findall("failure"), *case.findall("error")]
        )
        if words and not case.get("name", "").startswith("test_the_run_is_green"):
            named = set(re.findall(r"\b(?:trap|twin)_\w+", words))
            yield from ((dag_id, case.get("name", "")) for dag_id in dag_ids if dag_id in named)


def consult(session: Session, command: Sequence[str], environ: Mapping[str, str]) -> Answers:
    """Run a tool, give it a seeded namespace for each DAG that it asks for, and return what it answers.

    Raises:
        RuntimeError: it ended without a word.
    """
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    answers: Answers = {}
    with tempfile.TemporaryFile("w+") as output, ours:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environ, "TRAPS_DESK": str(theirs.fileno())},
            pass_fds=[theirs.fileno()],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=HERE,
        )
        theirs.close()
        with ours.makefile("rw") as lines, ExitStack() as lent:
            for line in lines:
                message = json.loads(line)
                if "ask" in message:
                    lent.close()
                    print(json.dumps(lend(session, message["ask"], lent)), file=lines, flush=True)
                else:
                    dag_id = message.pop("dag_id")
                    answers[dag_id] = message
                    sys.stderr.write(f"{dag_id:32} {message}\n")
        process.wait()
        if not answers:
            output.seek(0)
            raise RuntimeError(f"{command[0]} said nothing: {output.read()[-2000:]}")
    return answers


def lend(session: Session, dag_id: str, lent: ExitStack) -> dict[str, Any]:
    """Open a namespace with the inputs of the DAG's dates, for as long as `lent` is open."""
    namespace = lent.enter_context(session.namespace_for(dag_id))
    spec = session.environment.spec.dags[dag_id]
    if spec.seed and spec.dates:
        module, _, name = spec.seed.partition(":")
        seed = getattr(importlib.import_module(module), name)
        seed(namespace.services, days(spec.dates.from_, spec.dates.to), session.environment.spec.data)
    file = DAGS / f"{dag_id}.py"
    return {"dag_id": dag_id, "file": str(file), "date": DATE, "environ": namespace.environ}


def days(first: date, last: date) -> list[date]:
    """Return all days of a range, both ends included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


@contextmanager
def airflow_home() -> Iterator[dict[str, str]]:
    """Make an empty home for Airflow, and yield the variables that point to it."""
    with tempfile.TemporaryDirectory(prefix="traps-") as home:
        yield {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__DAGS_FOLDER": str(Path(home, "dags")),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(Path(home, "logs")),
        }
