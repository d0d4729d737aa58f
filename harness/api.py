"""The harness from Python: a session in which DAGs are run.

::

    from harness import Environment, Session

    with Session(Environment.load("test")) as session:
        report = session.run("orders_medallion", date="2026-01-02")
        assert report.passed, report.reasons
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack

from harness import faults, runner
from harness.environment import Environment
from harness.environment.spec import AnswerSpec, DagSpec, DataSpec
from harness.errors import ConfigError
from harness.inputs.names import Code, Named
from harness.models.fault import Fault
from harness.models.run import RunReport
from harness.models.service import ServiceEvent
from harness.runner import Dates, RunEvent, RunRequest
from harness.runner.memory import Memory, forget, joined, touched_before
from harness.runner.outputs import touched_in
from harness.session import client, records
from harness.session.client import Namespace
from harness.session.forkclient import ForkClient


class RunOptions(TypedDict, total=False):
    """Which runs of a DAG, and how.

    Args:
        date: a calendar date (every run that falls on it in the DAG's time zone), a timestamp (exactly one run), or
            `none` (one manual run without a logical date). Without a date: the environment's `dates` of the DAG.
        from_: first calendar date; goes with `to`.
        to: last calendar date, included.
        moments: exactly these runs, by their logical dates as ISO 8601 timestamps.
        manual: manual runs instead of scheduled ones.
        conf: what `dag_run.conf` holds.
        task: run this task alone; what is before it counts as done.
        resume: folder of an earlier report; its failed tasks and all after them are run again.
        clear: with `resume`: run this task and all after it again instead of the failed ones.
        inputs: dates whose inputs are put in place first; by default those of the runs.
        data: how much data seeds make, and from which seed; by default what the environment says.
        seed: put the inputs of those dates in place first, where the environment declares a seed; by default true.
        single_try: tasks that are tried once, whatever their retries.
        snapshot: compare the stores before and after each run; by default true.
        judge_outputs: fail a run that leaves all declared outputs untouched; by default true, with the snapshot.
        together: submit all dates at once, under max_active_runs, instead of one after the other.
        deadline: seconds for all of it, kept by another process; by default 600.
        parallelism: how many tasks run at once; by default 2.
        compression: factor by which sensor pokes and timeouts, time triggers and retry delays are shortened; 1 is real
            time, and the default is 60.
        also: other DAGs that run at the same time, in the same namespace, for the same dates.
        upstream: run what the ExternalTaskSensors of these DAGs wait for as well.
        answers: options that a person chooses, by the task that asks; besides those of the environment.
        debugger: run the tasks below this process, with its terminal.
        faults: what is made to go wrong, besides what the blocks around the call ask for (`harness.faults`).
    """

    date: str | None
    from_: str | None
    to: str | None
    moments: tuple[str, ...]
    manual: bool
    conf: Mapping[str, Any] | None
    task: str | None
    resume: Path | None
    clear: str | None
    inputs: tuple[Dates, ...] | None
    data: DataSpec
    seed: bool
    single_try: tuple[str, ...]
    snapshot: bool
    judge_outputs: bool
    together: bool
    deadline: float | None
    parallelism: int
    compression: float
    also: tuple[str, ...]
    upstream: bool
    answers: Mapping[str, Sequence[str]]
    debugger: bool
    faults: Sequence[Fault]


class Session(client.Session):
    """A lease on the services of an environment, in which DAGs of one folder are run.

    Args:
        environment: what is to run.
        dags: folder of the DAG files; by default `dags` in the project.
        keep: seconds that the services stay after the last lease; None ends them with it.
        on_event: takes each step of the services' start.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        dags: Path | str | None = None,
        keep: float | None = None,
        on_event: Callable[[ServiceEvent], None] | None = None,
    ) -> None:
        super().__init__(environment, keep=keep, on_event=on_event, fork_server=True)
        self.dags = Path(dags or environment.project / "dags").resolve()
        self._code = Code(environment.project, self.dags, environment.spec)

    def named(self, dag_ids: Collection[str] | None) -> list[Named]:
        """Return the names of the environment's things that stand in the code of DAGs.

        Args:
            dag_ids: which DAGs; None for all of the folder.
        """
        return self._code.of(dag_ids)

    def known(self, words: Collection[str]) -> set[str]:
        """Return those of some words that a DAG file has too, as the name of a DAG would stand there."""
        return self._code.known(words)

    @contextmanager
    def namespace_for(self, *dag_ids: str, name: str | None = None) -> Iterator[Namespace]:
        """Open a namespace in which these DAGs find their stores under the names that stand in their code.

        Args:
            dag_ids: which DAGs will run in it; without any, all of the folder may.
            name: as for `namespace`.
        """
        with self.namespace(name, alone={one.service for one in self.named(dag_ids or None)}) as opened:
            yield opened

    def run(
        self,
        dag_id: str,
        *,
        namespace: Namespace | None = None,
        on_event: Callable[[RunEvent], None] = lambda event: None,
        **options: Unpack[RunOptions],
    ) -> RunReport:
        """Run a DAG for one or more dates and judge it, task by task.

        Args:
            dag_id: which DAG of the session's folder.
            namespace: run in this one; by default in a fresh one that is removed afterwards.
            on_event: called with each step.
            options: which runs, and how; see `RunOptions`.

        Raises:
            ConfigError: there is no such DAG or task, its file cannot be imported, or nothing is due on the date.
            NothingChecked: the folder holds no DAG.
            RunError: a seed or a snapshot failed.
        """
        dag_ids = (dag_id, *options.get("also", ()))
        with nullcontext(namespace) if namespace else self.namespace_for(*dag_ids) as used:
            for one in dag_ids:
                self._require_declared_names(one, used)
            request = self.request(dag_id, used, options)
            report = runner.run(request, client=ForkClient(str(self.fork_server())), on_event=on_event)
            report = report.model_copy(update={"services": tuple(self.health(used.name))})
            self._memory(used).add(touched_in(report.runs, self.environment.spec.dags))
            # what `harness report` reads
            (request.folder / "report.json").write_text(report.model_dump_json(by_alias=True), encoding="utf-8")
            return report

    def close_namespace(self, name: str) -> None:
        """Remove a namespace's things from all stores; idempotent, also when the session is lost."""
        super().close_namespace(name)
        forget(records.runtime_dir() / self.id, name)

    def _require_declared_names(self, dag_id: str, used: Namespace) -> None:
        """Refuse a namespace that gives things other names than the DAG's code has: it would miss them, or hit others'.

        Raises:
            ConfigError: with the first such name.
        """
        for one in self.named([dag_id]):
            ref = used.refs[one.service]
            if ref.slice.prefix and self.environment.spec.services[one.service].names == "auto":
                raise ConfigError(
                    f"{dag_id} names the {one.in_words()} in its code, and the namespace {used.name} has renamed it",
                    hint=f'open that by `session.namespace_for("{dag_id}")`; or services.{one.service}.names: declared',
                )

    def request(self, dag_id: str, used: Namespace, options: RunOptions) -> RunRequest:
        """Return what a run in that namespace is asked for, as data that travels; its folder is new."""
        how: dict[str, Any] = dict(options)
        dates = {name: how.pop(name) for name in ("date", "from_", "to", "moments", "manual") if name in how}
        spec = self.environment.spec
        touched = self._memory(used).all()
        if folder := how.get("resume"):
            touched = joined(touched, touched_before(folder, spec.dags))
        return RunRequest(
            dag_id=dag_id,
            dags_folder=self.dags,
            project=self.environment.project.resolve(),
            folder=new_run_folder(self.environment.project, dag_id),
            environment=self.environment.name,
            namespace=used.name,
            dags=self._declared(dag_id, how.pop("seed", True), how.pop("answers", {})),
            pools=spec.airflow.pools,
            environ=used.environ,
            services=used.refs,
            data=how.pop("data", spec.data),
            dates=Dates.model_validate(dates),
            faults=(*faults.active(), *how.pop("faults", ())),
            airflow=spec.airflow,
            egress=spec.egress,
            touched=touched,
            **how,
        )

    def _memory(self, used: Namespace) -> Memory:
        return Memory(records.runtime_dir() / self.id, used)

    def _declared(self, dag_id: str, seed: bool, answers: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        declared = dict(self.environment.spec.dags)
        if answers:
            spec = declared.get(dag_id, DagSpec())
            given = {task: AnswerSpec(options=list(options)) for task, options in answers.items()}
            declared[dag_id] = spec.model_copy(update={"answers": {**spec.answers, **given}})
        if not seed and dag_id in declared:
            declared[dag_id] = declared[dag_id].model_copy(update={"seed": None})
        return declared


def new_run_folder(project: Path, dag_id: str) -> Path:
    """Return a new folder for a run's logs and metadata, below the project's `.harness/runs`; names sort by time."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return project.resolve() / ".harness" / "runs" / f"{stamp}-{dag_id}-{secrets.token_hex(2)}"
