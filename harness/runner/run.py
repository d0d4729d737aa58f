"""The caller's side of a run: asks the fork server for a controller, and makes one report of what it hears."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from harness.models.run import RunReport, RunResult, TaskResult, Verdict
from harness.runner.direct import DirectClient
from harness.runner.request import RunEvent, RunRequest
from harness.runner.verdict import unneeded
from harness.session.forkclient import ForkClient, Options, Outcome

TARGET = "harness.runner.controller:control"


def run(
    request: RunRequest, *, client: ForkClient, on_event: Callable[[RunEvent], None] = lambda event: None
) -> RunReport:
    """Run a DAG for one or more dates, and judge it.

    Args:
        request: what to run.
        client: of a fork server that has imported Airflow.
        on_event: called with each step, for live displays.

    Raises:
        ConfigError: there is no such DAG or task, its file cannot be imported, or no run on the date.
        NothingChecked: the folder has no DAG file.
        RunError: a seed or a snapshot failed.
        WorkerLost: the fork server is gone.
    """
    started = time.monotonic()
    heard = _Heard(on_event)
    request.folder.mkdir(parents=True, exist_ok=True)
    runner = DirectClient() if request.debugger else client
    outcome = runner.run(TARGET, request.model_dump(mode="json", by_alias=True), heard, options=child_options(request))
    outcome.raise_error()
    return _report(request, heard, outcome, time.monotonic() - started)


class _Heard:
    """Collects what the controller says."""

    def __init__(self, on_event: Callable[[RunEvent], None]) -> None:
        self._on_event = on_event
        self.runs: list[RunResult] = []
        self.open: dict[str, RunEvent] = {}
        self.phase = "start"

    def __call__(self, message: dict[str, Any]) -> None:
        if "result" in message:
            self.runs.append(RunResult.model_validate(message["result"]))
            return
        event = RunEvent.model_validate(message["progress"])
        if event.kind == "phase":
            self.phase = event.state
        elif event.kind == "task" and event.state == "running":
            self.open[f"{event.run_id}/{event.task}"] = event
        elif event.kind == "task":
            self.open.pop(f"{event.run_id}/{event.task}", None)
        self._on_event(event)


def child_options(request: RunRequest) -> Options:
    """Return the limits and surroundings of the process that runs a request."""
    return Options(
        deadline=request.deadline,
        grace=(8.0, 3.0),
        environ=dict(request.environ),
        cwd=str(request.project),
        sys_path=[*request.sys_path, str(request.project), str(request.dags_folder)],
        output=str(request.folder / "controller.log"),
        stack_file=str(request.folder / "controller.stack"),
    )


def _report(request: RunRequest, heard: _Heard, outcome: Outcome, seconds: float) -> RunReport:
    runs = list(heard.runs)
    reasons = [f"{_which(request, one, runs)}{reason}" for one in runs for reason in one.reasons]
    if not outcome.finished or (outcome.result or {}).get("stopped"):
        reasons += _lost(request, heard, outcome)
    warnings = [f"{_which(request, one, runs)}{words}" for one in runs for words in _warnings(one)]
    verdict: Verdict = "fail" if reasons or any(one.verdict != "pass" for one in runs) or not runs else "pass"
    return RunReport(
        verdict=verdict,
        reasons=tuple(dict.fromkeys(reasons)),
        warnings=tuple(dict.fromkeys([*warnings, *_unneeded(request, runs)])),
        dag_id=request.dag_id,
        environment=request.environment,
        namespace=request.namespace,
        runs=tuple(runs),
        folder=str(request.folder),
        timed_out=outcome.cause == "deadline" or "the deadline" in str((outcome.result or {}).get("stopped")),
        seconds=seconds,
        timings=(outcome.result or {}).get("timings", {}),
    )


def _warnings(run: RunResult) -> Iterator[str]:
    yield from run.warnings
    for child in run.triggered:
        yield from (f"{child.dag_id}: {words}" for words in _warnings(child))


def _unneeded(request: RunRequest, runs: Sequence[RunResult]) -> Iterator[str]:
    """Name what is declared under `expect` and no run needed; a run that was cut off says nothing about it."""
    if request.task is not None or any(run.airflow_state not in ("success", "failed") for run in runs):
        return
    tasks: dict[str, list[TaskResult]] = {}
    waiting = list(runs)
    while waiting:
        run = waiting.pop(0)
        tasks.setdefault(run.dag_id, []).extend(run.tasks)
        waiting += run.triggered
    for dag_id, found in tasks.items():
        yield from unneeded(found, request.spec(dag_id).expect, where=f"dags.{dag_id}.expect")


def _which(request: RunRequest, one: RunResult, runs: list[RunResult]) -> str:
    if len({run.dag_id for run in runs}) > 1:
        return f"{one.dag_id} {one.run_id}: "
    return f"{one.run_id}: " if len(runs) > 1 else ""


def _lost(request: RunRequest, heard: _Heard, outcome: Outcome) -> list[str]:
    """Say what happened to a controller that did not finish by itself."""
    stopped = (outcome.result or {}).get("stopped")
    if stopped:
        return [] if any(stopped in one.reasons for one in heard.runs) else [stopped]
    doing = ", ".join(event.task for event in heard.open.values()) or f"the phase {heard.phase!r}"
    if outcome.cause == "deadline":
        where = outcome.stack.strip().splitlines()
        at = f"; it was at {where[1].strip()}" if len(where) > 1 else ""
        return [f"the deadline of {request.deadline:g} s passed during {doing}, and the run had to be killed{at}"]
    return [f"the run's process was lost ({outcome.describe()}) during {doing}"]
