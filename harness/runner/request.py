"""What a run is asked for, and what it says while it goes on; plain data that travels to the controller's process."""

from __future__ import annotations

from datetime import date as Day
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from harness.environment.spec import AirflowSpec, DagSpec, DataSpec
from harness.models.base import Frozen
from harness.models.fault import Fault
from harness.models.service import ServiceRef


class Dates(Frozen, populate_by_name=True):
    """Which runs are asked for.

    Args:
        date: a calendar date in the DAG's time zone (every run that falls on it), a timestamp (exactly one run), or
            `none` (one manual run without a logical date).
        from_: first calendar date; goes with `to`.
        to: last calendar date, included.
        manual: manual runs instead of scheduled ones.
        moments: exactly these runs, by their logical dates as ISO 8601 timestamps.
    """

    date: str | None = None
    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None
    manual: bool = False
    moments: tuple[str, ...] = ()


class RunRequest(Frozen):
    """One `harness run`.

    Args:
        dag_id: which DAG.
        also: other DAGs that run at the same time, for the same dates.
        upstream: run what the sensors of these DAGs wait for as well.
        dags_folder: where DAG files are.
        project: root of the project; working folder of the tasks, and on their import path.
        folder: run folder: logs, metadata database, outputs of the processes.
        environment: name of the environment.
        namespace: name of the namespace that `services` are slices of.
        dags: what the environment declares about DAGs.
        pools: Airflow pools and their slots.
        environ: variables of every process of the run: connections, variables, the field's own.
        services: the services by name.
        data: how much data seeds make.
        dates: which runs.
        conf: what the runs are given; None: what the environment declares.
        together: submit all runs at once, under max_active_runs, instead of one after the other.
        deadline: seconds for everything; None only where a debugger is in use.
        parallelism: how many tasks run at once.
        compression: factor by which waits are shortened; 1 is real time.
        task: run this task alone; what is before it counts as done.
        resume: folder of an earlier run; its failed tasks and all after them are run again.
        clear: with `resume`: run this task and all after it again, whatever their state, instead of the failed ones.
        inputs: dates whose inputs are put in place first; None: those of the runs.
        single_try: tasks that are tried once, whatever their retries.
        snapshot: compare the stores before and after each run.
        judge_outputs: fail a run that leaves all declared outputs untouched; it needs the snapshot.
        touched: outputs that earlier runs in the namespace changed, by run (`outputs.key_of`).
        debugger: post-mortem and breakpoints on the caller's terminal.
        sys_path: put in front of the import path.
        faults: what is made to go wrong.
        egress: addresses outside that tasks may connect to, each with the reason.
        airflow: what `environ` was made of, where faults stand between the tasks and their services.
    """

    dag_id: str
    also: tuple[str, ...] = ()
    upstream: bool = False
    dags_folder: Path
    project: Path
    folder: Path
    environment: str = "dev"
    namespace: str = ""
    dags: dict[str, DagSpec] = Field(default_factory=dict)
    pools: dict[str, PositiveInt] = Field(default_factory=dict)
    environ: dict[str, str] = Field(default_factory=dict)
    services: dict[str, ServiceRef] = Field(default_factory=dict)
    data: DataSpec = DataSpec()
    dates: Dates = Dates()
    conf: dict[str, Any] | None = None
    together: bool = False
    deadline: PositiveFloat | None = 600.0
    parallelism: PositiveInt = 2
    compression: float = Field(default=60.0, ge=1.0)
    task: str | None = None
    resume: Path | None = None
    clear: str | None = None
    inputs: tuple[Dates, ...] | None = None
    single_try: tuple[str, ...] = ()
    snapshot: bool = True
    judge_outputs: bool = True
    touched: dict[str, frozenset[str]] = Field(default_factory=dict)
    debugger: bool = False
    sys_path: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    egress: dict[str, str] = Field(default_factory=dict)
    airflow: AirflowSpec | None = None

    def spec(self, dag_id: str) -> DagSpec:
        """Return what is declared about a DAG."""
        return self.dags.get(dag_id, DagSpec())


class RunEvent(Frozen):
    """One step of a run, for live displays.

    Args:
        kind: `phase` (parse, seed, snapshot ...), `run` or `task`.
        state: Airflow's word for a run or a task; for a phase what is being done.
        task: name of the task, with its map index.
        seconds: how long it took, when it is over.
        detail: a short text: the error's last line.
    """

    kind: Literal["phase", "run", "task"]
    state: str
    dag_id: str = ""
    run_id: str = ""
    task: str = ""
    try_number: int = 0
    seconds: float | None = None
    detail: str = ""
