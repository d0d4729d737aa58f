"""The process that runs one request: it finds the DAG, has Airflow schedule its runs, and judges them.

It is a child of the fork server (or of the caller, under a debugger); `run.run` is the other side. Each finished run is
told as an event at once, so that what was finished is known even when this process is not heard of again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

from harness.engines.jars import cache_dir
from harness.errors import ConfigError
from harness.faults import ledger
from harness.faults.control import Control
from harness.models.run import RunResult
from harness.runner.request import Dates, RunEvent, RunRequest

Emit = Callable[[dict[str, Any]], None]


class Stopped(BaseException):
    """Somebody outside ends this run; not an Exception, so that no `except Exception` of a project's swallows it."""


def control(payload: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Target of the fork server's child: run the request in `payload`, and return what ended it and when."""
    request = RunRequest.model_validate(payload)
    return Controller(request, emit).run()


class Controller:
    """One request on its way."""

    def __init__(self, request: RunRequest, emit: Emit) -> None:
        self._request = request
        self._emit = emit
        self._started = time.monotonic()
        self._timings: dict[str, float] = {}
        self._loop: Any = None
        self._current: list[tuple[str, str]] = []
        self._unread: frozenset[str] = frozenset()
        self._phase = "start"
        self._faults = Control(request.faults, request.folder / ledger.FILE)

    def run(self) -> dict[str, Any]:
        """Do all of it; a stop from outside ends it with a result of what there is."""
        signal.signal(signal.SIGINT, _stop)
        signal.signal(signal.SIGTERM, _stop)
        stopped = None
        try:
            self._run()
        except Stopped:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            stopped = self._give_up()
        finally:
            self._faults.stop()
        return {"stopped": stopped, "timings": self._timings}

    # -- the run

    def open(self, dag_id: str) -> tuple[Any, Any]:
        """Make the metadata database and find the DAG: as its author wrote it, and as the scheduler sees it."""
        from harness._compat import dags
        from harness._compat.plugins import use_plugins

        self._prepare_environment()
        dags.use_folder(self._request.dags_folder)
        use_plugins(self._request.project)
        with self._timed("metadata"):
            self._open_metadata()
        with self._timed("parse"):
            self._library = self._open_library()
            dag = self._library.find(dag_id)
        return dag, dags.scheduler_dag(dag_id)

    def _run(self) -> None:
        from harness.runner import dates

        request = self._request
        dag, scheduled = self.open(request.dag_id)
        self._check_task(dag)
        self._make_loop()
        if request.resume is not None:
            self._resume(scheduled)
            return
        plans = dates.plan(scheduled, self._dates(scheduled), request.spec(request.dag_id).dates)
        others = self._others(dag, plans)
        self._seed(request.dag_id, self._logical_dates_of_inputs(scheduled, plans))
        for one, needed in others:
            self._seed(one.dag_id, dates.local(one, needed))
        before = self._stock()
        # what several DAGs have to do with each other shows when all their runs are there
        at_once = request.together or others
        for chunk in [plans] if at_once else [[plan] for plan in plans]:
            self._current = [self._create(one, plan) for one, needed in others for plan in needed]
            self._current += [self._create(scheduled, plan) for plan in chunk]
            before = self._run_current(before)

    def _others(self, dag: Any, plans: list[Any]) -> list[tuple[Any, list[Any]]]:
        """Return the other DAGs that run with the first one (the scheduler's form), each with its runs."""
        from harness._compat import dags
        from harness.runner import chain, dates

        request = self._request
        found: dict[str, list[Any]] = {}
        for dag_id in request.also:
            self._library.find(dag_id)
            form = dags.scheduler_dag(dag_id)
            found[dag_id] = dates.plan(form, self._dates(form), request.spec(dag_id).dates)
        todo = [(dag, plans), *((self._library.find(dag_id), made) for dag_id, made in found.items())]
        while request.upstream and todo:
            one, made = todo.pop()
            for awaited in (each for plan in made for each in chain.awaited(one, plan.logical_date)):
                runs = plans if awaited.dag_id == request.dag_id else found.setdefault(awaited.dag_id, [])
                if any(plan.logical_date == awaited.moment for plan in runs):
                    continue
                other = self._library.find(awaited.dag_id)
                moment = Dates(moments=(awaited.moment.isoformat(),))
                more = dates.plan(dags.scheduler_dag(awaited.dag_id), moment, None)
                runs += more
                todo.append((other, more))
        return [(dags.scheduler_dag(dag_id), made) for dag_id, made in found.items()]

    def _prepare_environment(self) -> None:
        # the fork server's Airflow is quiet; a task's log has what the task says
        os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "INFO"
        os.environ.update(self._request.environ)
        os.environ["HARNESS_RUN_FOLDER"] = str(self._request.folder)
        self._request.folder.mkdir(parents=True, exist_ok=True)
        if self._request.faults:
            from harness.runner.surroundings import services

            self._faults.start(services(self._request), self._request.airflow, self._request.environ)
            os.environ.update(self._faults.environ)

    def _open_metadata(self) -> None:
        from harness._compat import metadata

        path = self._request.folder / "airflow.db"
        if self._request.resume is not None:
            metadata.bind(self._request.resume / "airflow.db")
        else:
            metadata.clone(metadata.template(cache_dir()), path)
        if self._request.pools:
            metadata.add_pools(dict(self._request.pools))

    def _open_library(self) -> Any:
        from harness.runner.discovery import Library

        self._tell_phase("parse")
        return Library(self._request.dags_folder)

    def _check_task(self, dag: Any) -> None:
        task = self._request.task
        if task is not None and (self._request.also or self._request.upstream):
            raise ConfigError(
                f"task {task!r} runs alone, and other DAGs are asked for", hint="leave out one of the two"
            )
        if task is not None and task not in dag.task_ids:
            import difflib

            near = difflib.get_close_matches(task, dag.task_ids, 3)
            raise ConfigError(
                f"{dag.dag_id} has no task {task!r}", hint=f"it has {', '.join(near or sorted(dag.task_ids))}"
            )

    def _make_loop(self) -> None:
        from harness._compat import execution_api
        from harness._compat.supervision import Surroundings
        from harness._compat.waits import Pace, hurry_retries
        from harness.faults.task import Saboteur
        from harness.runner import egress
        from harness.runner.loop import Loop

        saboteur = Saboteur(self._request.faults, self._request.folder / ledger.FILE, self._faults.news)
        hosts = {ref.endpoint.host.lower() for ref in self._request.services.values()}
        watch = egress.Watch(self._request.folder / egress.FILE, hosts)
        pace = Pace(self._request.compression)
        hurry_retries(pace)
        around = Surroundings(
            self._library.dags,
            execution_api.client(),
            pace,
            self._library.find,
            debugger=self._request.debugger,
            answer_of=lambda dag_id, task: self._request.spec(dag_id).answers.get(task),
            sabotage=lambda execute: watch.wrap(saboteur.wrap(execute)),
        )
        parallelism = 1 if self._request.debugger or self._faults.alone else self._request.parallelism
        self._loop = Loop(parallelism, around, self._request.folder, self._say, self._call_back, faults=self._faults)

    def _create(self, scheduled: Any, plan: Any) -> tuple[str, str]:
        from harness._compat import assets, scheduling
        from harness.runner.dates import with_date

        if not self._request.dates.manual and assets.waits_for(scheduled):
            return self._create_by_events(scheduled)
        conf = self._request.conf if scheduled.dag_id == self._request.dag_id else None
        if conf is None:
            conf = with_date(self._request.spec(scheduled.dag_id).conf, plan.logical_date)
        run_id = scheduling.create_run(scheduled, plan, conf)
        scheduling.start_at_once(scheduled.dag_id, run_id)
        if self._request.single_try:
            scheduling.without_retries(scheduled.dag_id, run_id, self._request.single_try)
        if self._request.task is not None:
            scheduling.run_only(self._request.dag_id, run_id, self._request.task)
        return scheduled.dag_id, run_id

    def _dates(self, scheduled: Any) -> Any:
        """Return the dates that are asked for; those of a DAG that assets start say only which inputs there are."""
        from harness._compat import assets

        awaited = assets.waits_for(scheduled)
        if not awaited or self._request.dates.manual:
            return self._request.dates
        if not self._request.spec(scheduled.dag_id).events:
            names = ", ".join(awaited)
            raise ConfigError(
                f"{scheduled.dag_id} runs when assets change, and no event of one is declared: it waits for {names}",
                hint=f"declare dags.{scheduled.dag_id}.events: [{{asset: {awaited[0]}}}]; "
                "or run the DAG that updates it, which runs this one too; or --manual",
            )
        return self._request.dates.model_copy(update={"manual": True})

    def _create_by_events(self, scheduled: Any) -> tuple[str, str]:
        """Tell the declared events, and return the run that they make."""
        from harness._compat import assets

        events = self._request.spec(scheduled.dag_id).events
        assets.tell([(one.asset, dict(one.extra)) for one in events])
        made: list[tuple[str, str]] = [run for run in self._loop.runs_of_events() if run[0] == scheduled.dag_id]
        if not made:
            told = ", ".join(one.asset for one in events)
            raise ConfigError(
                f"{scheduled.dag_id} does not run by the declared events alone ({told}): "
                f"it waits for {', '.join(assets.waits_for(scheduled))}",
                hint=f"add those that are missing to dags.{scheduled.dag_id}.events",
            )
        return made[0]

    def _resume(self, scheduled: Any) -> None:
        from harness._compat import scheduling

        clear = self._request.clear
        if clear is not None and clear not in scheduled.task_dict:
            raise ConfigError(f"{scheduled.dag_id} has no task {clear!r} to clear")
        self._current = scheduling.clear_from(scheduled, clear) if clear else scheduling.clear_failed(scheduled)
        if not self._current:
            raise ConfigError(f"nothing failed in {self._request.resume}", hint="run the DAG anew")
        self._run_current(self._stock())

    def _run_current(self, before: Any) -> Any:
        from harness.runner import surroundings

        started = time.monotonic()
        with self._timed("tasks"):
            for dag_id, run_id in self._current:
                self._say(RunEvent(kind="run", state="running", dag_id=dag_id, run_id=run_id))
            self._phase = "run"
            self._loop.run()
        after = self._stock()
        self._unread = after.unread if after is not None else frozenset()
        outputs = self._differences(before, after)
        trespasses = surroundings.trespasses(before, after)
        for key in self._current:
            stalled = "; ".join(self._loop.stalled) or None
            seen = outputs if self._judges_outputs(before, after) else None
            result = self._result(key, stalled, seen).model_copy(
                update={"outputs": tuple(outputs), "seconds": time.monotonic() - started}
            )
            if trespasses:
                result = result.model_copy(update={"verdict": "fail", "reasons": (*result.reasons, *trespasses)})
            self._finish(result)
        self._current = []
        return after

    def _result(
        self, key: tuple[str, str], stopped: str | None, outputs: list[Any] | None = None, parent: str = ""
    ) -> RunResult:
        """Judge a run, and those that it triggered.

        Args:
            key: of the run.
            stopped: why it did not end by itself.
            outputs: what changed in the stores; None where that is no part of the verdict.
            parent: key by its date of the run that triggered this one.
        """
        from harness.runner.outputs import key_of
        from harness.runner.results import Ending, collect

        dag_id, run_id = key
        result = collect(
            dag_id,
            run_id,
            folder=self._request.folder,
            spec=self._request.spec(dag_id),
            errors=self._loop.errors,
            ending=Ending(stopped, self._loop.stacks.get(key, {})),
            only=self._request.task if dag_id == self._request.dag_id else None,
        )
        result = self._with_egress_judged(self._with_what_it_waits_for(result))
        if outputs is not None:
            result = self._with_outputs_judged(result, outputs, parent)
        below = key_of(result, parent)
        children = tuple(self._result(child, None, outputs, below) for child in self._loop.children.get(key, []))
        if any(child.verdict == "fail" for child in children) and result.verdict == "pass":
            bad = [
                f"the run of {child.dag_id} that it triggered failed" for child in children if child.verdict == "fail"
            ]
            bad += [f"{child.dag_id}: {reason}" for child in children for reason in child.reasons]
            result = result.model_copy(update={"verdict": "fail", "reasons": (*result.reasons, *bad)})
        seen = {
            "writes": self._faults.writes(run_id),
            "used": self._faults.used(run_id),
            "fired": self._faults.fired(run_id),
        }
        return result.model_copy(update={"triggered": children, **seen})

    def _with_what_it_waits_for(self, result: RunResult) -> RunResult:
        """Note the runs of other DAGs that its sensors look for, and name those that there never were."""
        from harness._compat import scheduling
        from harness.runner import chain

        found = list(chain.awaited(self._library.find(result.dag_id), result.logical_date))
        if not found:
            return result
        reasons = list(chain.missing(found, result.states, scheduling.dated_runs())) if result.reasons else []
        waits = tuple(f"{one.sensor} waits for {one.in_words}" for one in found)
        return result.model_copy(update={"waits_for": waits, "reasons": (*reasons, *result.reasons)})

    def _with_egress_judged(self, result: RunResult) -> RunResult:
        """Fail a run whose tasks went to addresses outside: nobody knows what they did there."""
        from harness.runner import egress

        found = egress.contacts(self._request.folder / egress.FILE, result.run_id, self._request.egress)
        if not found:
            return result
        words = [egress.in_words(one, self._request.environment) for one in found]
        return result.model_copy(update={"verdict": "fail", "reasons": (*result.reasons, *words)})

    def _judges_outputs(self, before: Any, after: Any) -> bool:
        """Tell whether outputs are part of the verdict: one task alone is not asked for all that its DAG publishes."""
        read = before is not None and after is not None and before.inside is not None
        return read and self._request.judge_outputs and self._request.task is None

    def _with_outputs_judged(self, result: RunResult, outputs: list[Any], parent: str) -> RunResult:
        from harness.runner.outputs import judge_outputs, key_of

        if result.verdict != "pass" or result.airflow_state != "success":
            return result
        spec = self._request.spec(result.dag_id)
        earlier = self._request.touched.get(key_of(result, parent), frozenset())
        reasons, warnings = judge_outputs(spec, outputs, result.tasks, earlier, unread=self._unread)
        told = {"reasons": reasons, "warnings": (*result.warnings, *warnings)}
        return result.model_copy(update=told | ({"verdict": "fail"} if reasons else {}))

    def _finish(self, result: RunResult) -> None:
        self._say(
            RunEvent(
                kind="run",
                state=result.airflow_state or "none",
                dag_id=result.dag_id,
                run_id=result.run_id,
                seconds=result.seconds,
                detail=result.verdict,
            )
        )
        self._emit({"result": result.model_dump(mode="json")})

    # -- around the run

    def _logical_dates_of_inputs(self, scheduled: Any, plans: list[Any]) -> list[Any]:
        from harness.runner import dates

        if self._request.inputs is not None:
            plans = [plan for chosen in self._request.inputs for plan in dates.plan(scheduled, chosen, None)]
        return dates.local(scheduled, plans)

    def _seed(self, dag_id: str, logical_dates: list[Any]) -> None:
        name = self._request.spec(dag_id).seed
        if name is None:
            return
        from harness.runner.apart import apart
        from harness.runner.surroundings import call_seed

        self._tell_phase("seed")
        with self._timed("seed"):
            work = partial(call_seed, name, self._request, logical_dates)
            apart(work, name=f"the seed {name}", log=self._request.folder / "seed.log")

    def fingerprint_of_inputs(self, logical_dates: list[Any]) -> str:
        """Call the seed for these dates, and return a fingerprint of all that the namespace holds then."""
        from harness.runner.apart import apart
        from harness.runner.surroundings import fingerprint

        self._seed(self._request.dag_id, logical_dates)
        log = self._request.folder / "snapshot.log"
        return apart(partial(fingerprint, self._request), name="the snapshot of the stores", log=log)

    def _stock(self) -> Any:
        shared = any(ref.slice.prefix for ref in self._request.services.values())
        if not (self._request.snapshot or shared) or not self._request.services:
            return None
        from harness.runner.apart import apart
        from harness.runner.surroundings import take_stock

        self._tell_phase("snapshot")
        with self._timed("snapshot"):
            work = partial(take_stock, self._request)
            return apart(work, name="the snapshot of the stores", log=self._request.folder / "snapshot.log")

    def _differences(self, before: Any, after: Any) -> list[Any]:
        if before is None or after is None or before.inside is None:
            return []
        from harness.state import diff

        return diff(before.inside, after.inside)

    def _call_back(self, callback: Any) -> None:
        from harness._compat.callbacks import call_back
        from harness.runner.apart import apart

        log = self._request.folder / callback.dag_id / callback.run_id / "callbacks.log"
        work = partial(call_back, self._library.dags[callback.dag_id], callback)
        apart(work, name=f"a callback of {callback.dag_id}", log=log)

    # -- the end from outside

    def _give_up(self) -> str:
        """Stop the tasks, and tell the runs as far as they came."""
        seconds = time.monotonic() - self._started
        limit = self._request.deadline
        # the deadline is the fork server's; this side only knows how late it is
        passed = limit is not None and seconds >= limit - 0.5
        why = f"the deadline of {limit:g} s passed" if passed else f"it was interrupted after {seconds:.1f} s"
        if self._loop is None or not self._current:
            return f"{why} during the phase {self._phase!r}"
        running = self._loop.stop()
        what = ", ".join(f"{one.name} (try {one.number})" for one in running) or "no task"
        sentence = f"{why} while {what} was running{self._without_a_slot(len(running))}"
        for key in self._current:
            result = self._result(key, sentence)
            self._finish(result.model_copy(update={"seconds": seconds}))
        return sentence

    def _without_a_slot(self, running: int) -> str:
        """Say how many tasks only wanted a slot: then it is not the tasks that are slow."""
        from harness._compat import scheduling

        waited = scheduling.waiting_for_a_slot()
        if not waited or running < self._request.parallelism:
            return ""
        tasks = "1 task was" if waited == 1 else f"{waited} tasks were"
        slots = "the one slot" if self._request.parallelism == 1 else f"one of {self._request.parallelism} slots"
        return f", and {tasks} waiting for {slots} (--parallelism)"

    def _tell_phase(self, phase: str) -> None:
        self._phase = phase
        self._say(RunEvent(kind="phase", state=phase, dag_id=self._request.dag_id))

    def _say(self, event: RunEvent) -> None:
        self._emit({"progress": event.model_dump(mode="json", exclude_defaults=True)})

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self._timings[name] = self._timings.get(name, 0.0) + time.monotonic() - start


def _stop(*_: object) -> NoReturn:
    raise Stopped
