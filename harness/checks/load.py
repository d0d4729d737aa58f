"""Has Airflow load DAG files, each in a child process that it cannot take the check down with.

A child takes a chunk of files. When it ends in the middle, the file it was at is to blame, and the rest of the chunk
goes to a new child.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from harness.checks.config import Settings
from harness.checks.graph import Dag
from harness.checks.project import Loaded
from harness.session.forkclient import ForkClient, ForkServer, Options, Outcome

PRELOADED = (
    *("airflow", "airflow.sdk", "airflow.settings", "airflow.dag_processing.importers.python_importer"),
    *("harness.checks.load_child", "harness._compat.importing", "harness._compat.extract"),
)
"""Imported once, before the first fork, besides what the files import of Airflow."""

CHUNK = 24
"""Files for one child: a fork costs 10 ms, a file 3, and a crash costs the rest of the chunk a new fork."""

STABLE = {"PYTHONHASHSEED": "0"}
"""So that a file that goes through a set makes its DAGs, and fails, in the same words in every check."""

CPUS = 2
MAX_PRELOADED = 60
_IMPORT = re.compile(rb"^(?:from|import)[ \t]+(airflow\.providers\.[a-z0-9_.]+)", re.MULTILINE)


class Loader:
    """Loads files through one fork server.

    Args:
        roots: folders that modules are imported from; the last is the project's.
        environ: variables on top of this process's, such as an environment's connections.
        folder: for logs; a temporary one that goes with the server when None.
    """

    def __init__(self, roots: Sequence[Path], settings: Settings, environ: dict[str, str] | None = None) -> None:
        self.roots = [str(root) for root in roots]
        self.settings = settings
        self.environ = {**STABLE, **(environ or {})}
        self.folder = Path(tempfile.mkdtemp(prefix="harness-check-"))
        self.inputs: dict[str, tuple[str, ...]] = {}
        self._lock = Lock()

    def load(self, paths: Sequence[str], done: Callable[[str], None] = lambda path: None) -> dict[str, Loaded]:
        """Load the files, and return how each ended, by path.

        Args:
            done: called with each path when it is loaded.

        Raises:
            RunError: the fork server did not start.
        """
        chunks = deque(paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK))
        found: dict[str, Loaded] = {}
        try:
            preload = (*PRELOADED, *airflow_modules(paths))
            started = ForkServer.start(folder=self.folder, preload=preload, environ=self.environ, owns=True)
            with started as server, ThreadPoolExecutor(CPUS) as pool:
                workers = [pool.submit(self._work, server.client(), chunks, found, done) for _ in range(CPUS)]
                for worker in workers:
                    worker.result()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
        return {path: found[path] for path in paths if path in found}

    def _work(
        self, client: ForkClient, chunks: deque[Sequence[str]], found: dict[str, Loaded], done: Callable[[str], None]
    ) -> None:
        while True:
            try:
                todo = list(chunks.popleft())
            except IndexError:
                return
            while todo:
                for outcome in self._child(client, todo):
                    with self._lock:
                        found[outcome.path] = outcome
                    done(outcome.path)
                    todo.remove(outcome.path)

    def _child(self, client: ForkClient, paths: Sequence[str]) -> list[Loaded]:
        """Load files in one child until it has done them all or has ended; at least one file is done."""
        finished: list[Loaded] = []
        at = [paths[0]]

        def listen(event: dict[str, Any]) -> None:
            if "at" in event:
                at[0] = event["at"]
            else:
                finished.append(self._loaded(event["loaded"]))

        stacks = Path(tempfile.mkstemp(dir=self.folder, suffix=".stack")[1])
        seconds = self.settings.load_seconds
        payload = {
            "paths": [str(Path(path).resolve()) for path in paths],
            "names": list(paths),
            "roots": self.roots,
            "project": self.roots[-1],
            "quiet": [str(self.folder)],
            "seconds": seconds,
            "stack_file": str(stacks),
        }
        options = Options(
            deadline=seconds * len(paths) + 30,
            grace=(0.5, 0.5),
            cwd=self.roots[-1],  # as a run has it: what a file opens by a relative path is the project's
            sys_path=self.roots,
            memory_mb=self.settings.memory_mb + 300,
            output="/dev/null",
        )
        outcome = client.run("harness.checks.load_child:load", payload, listen, options=options)
        complete = len(finished) == len(paths) or (finished and finished[-1].ended)
        if not complete:
            finished.append(self._blamed(at[0], outcome, stacks))
        return finished

    def _loaded(self, data: dict[str, Any]) -> Loaded:
        self.inputs[data["path"]] = tuple(data.pop("inputs"))
        dags = tuple(Dag.model_validate(dag) for dag in data.pop("dags"))
        effects = tuple((kind, detail, line) for kind, detail, line in data.pop("effects"))
        costly = tuple((name, seconds) for name, seconds in data.pop("costly"))
        return Loaded(**data, dags=dags, effects=effects, costly=costly)

    def _blamed(self, path: str, outcome: Outcome, stacks: Path) -> Loaded:
        """Say what a file did that its child did not survive."""
        stack = stacks.read_text(encoding="utf-8", errors="replace") if stacks.exists() else ""
        line = _line(stack or outcome.stack, path)
        if "Timeout" in stack or outcome.cause == "deadline":
            return Loaded(path, error="it was still loading", ended="timeout", line=line, detail=stack)
        if outcome.error is not None:
            return Loaded(path, error=outcome.describe(), line=line, detail=outcome.error.get("traceback", ""))
        if outcome.signal is not None:
            return Loaded(path, error=f"the process was killed by {outcome.signal}", ended="killed", line=line)
        error = f"the file ends its process with exit code {outcome.exit_code}"
        return Loaded(path, error=error, ended="exit", line=line)


def airflow_modules(paths: Sequence[str]) -> list[str]:
    """Return the modules of Airflow and its providers that files import at their top, the most used first.

    They are imported once before the first fork instead of once in each child; the files themselves are not run for it.
    """
    used: Counter[str] = Counter()
    for path in paths:
        try:
            content = Path(path).read_bytes()
        except OSError:
            continue
        used.update({match[1].decode() for match in _IMPORT.finditer(content)})
    return [name for name, _ in used.most_common(MAX_PRELOADED)]


def _line(stack: str, path: str) -> int:
    """Return the line of a file in a dump of stacks, innermost first; 1 when the file is not in it."""
    match = re.search(rf'File "[^"]*{re.escape(Path(path).name)}", line (\d+)', stack)
    return int(match[1]) if match else 1


def merged(outcome: Loaded, declared: Sequence[Dag]) -> Loaded:
    """Return an outcome whose DAGs also know what only the source says: columns, and what the author stated."""
    outcome.dags = tuple(_merged(dag, _declaration(dag, declared)) for dag in outcome.dags)
    return outcome


def _declaration(dag: Dag, declared: Sequence[Dag]) -> Dag | None:
    """Return the place that made a DAG: of several with its id the last one at or above the line that ran."""
    same = [source for source in declared if source.dag_id == dag.dag_id]
    above = [source for source in same if source.line <= dag.line]
    return max(above, key=lambda source: source.line) if above else next(iter(same), None)


def _merged(dag: Dag, source: Dag | None) -> Dag:
    if source is None:
        return dag
    columns = {task.task_id: (task.line, task.column) for task in source.tasks}
    tasks = tuple(
        task.model_copy(update={"line": columns[task.task_id][0], "column": columns[task.task_id][1]})
        if task.task_id in columns
        else task
        for task in dag.tasks
    )
    stated = {"line": source.line, "column": source.column, "keywords": source.keywords, "tasks": tasks}
    return dag.model_copy(update=stated)
