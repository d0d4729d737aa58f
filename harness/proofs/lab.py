"""Carries out scenarios of one DAG, each in a namespace of its own, and remembers what every one of them left."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.environment import Environment
from harness.environment.spec import DagSpec
from harness.errors import RunError, ServiceError
from harness.models.fault import Fault, unmapped
from harness.models.proof import Change, Scenario, Step
from harness.models.run import RunReport
from harness.models.snapshot import Difference
from harness.proofs.registry import Undecidable
from harness.runner.request import Dates
from harness.runner.survey import Survey, fingerprint_of_inputs, survey
from harness.session.forkclient import ForkClient
from harness.state import Snapshot, diff, snapshot
from harness.state.diff import holds_data
from harness.state.snapshot import is_output

if TYPE_CHECKING:
    from harness.api import RunOptions, Session
    from harness.session.client import Namespace

#: how many logical dates experiments use at most; the smallest number that has a first, a middle and a last
DATES = 3

#: namespaces that stay open after their scenario, so that a longer one can go on from there
OPEN = 3

#: by which waits are shortened: ten hours of a sensor's patience are a minute
COMPRESSION = 600.0

#: seconds that a disturbed run, or one without input, may take besides what its work takes
PATIENCE = 60.0


class Expired(RunError):
    """The time for a proof is over before it was decided."""


@dataclasses.dataclass(frozen=True)
class Left:
    """What one step of a scenario left.

    Args:
        report: of its runs.
        outputs: what the DAG publishes, after the step.
        everything: all content of the stores.
        changed: what of the outputs the step itself changed, its seed left out; of a step on new input that has a fault
            it is not known.
    """

    report: RunReport
    outputs: Snapshot
    everything: Snapshot
    changed: tuple[Difference, ...] = ()


class Lab:
    """Where a DAG is experimented with.

    Args:
        session: an open session; its services are used in fresh namespaces.
        dag_id: the DAG.
        run_deadline: seconds for each step's runs.
        on_step: called before each step, with the number of steps that were carried out so far.
        clocks: sessions under other clocks that several labs share; by default its own.
    """

    def __init__(
        self,
        session: Session,
        dag_id: str,
        *,
        run_deadline: float = 600.0,
        on_step: Callable[[Step, int], None] = lambda step, done: None,
        clocks: Clocks | None = None,
    ) -> None:
        self.session = session
        self.dag_id = dag_id
        self.spec: DagSpec = session.environment.spec.dags.get(dag_id, DagSpec())
        self.runs = 0
        self.until: float | None = None
        self.run_deadline = run_deadline
        self.planted = {name: f"planted-{secrets.token_hex(12)}" for name in _sensitive_variables(session)}
        self.on_step = on_step
        self._left: dict[Scenario, Left] = {}
        self._open: OrderedDict[Scenario, _Trial] = OrderedDict()
        self._survey: Survey | None = None
        self._inputs: dict[tuple[str, Change], str] = {}
        #: what a proof says besides, of what it could not look at
        self.remarks: list[str] = []
        self._slowest = 0.0
        self._alone = {one.service for one in session.named([dag_id])}
        self._clocks = clocks or Clocks(session)
        self._own_clocks = clocks is None

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the namespaces that are still open; idempotent."""
        while self._open:
            self._close(next(iter(self._open)))
        if self._own_clocks:
            self._clocks.close()

    @property
    def about(self) -> Survey:
        """What the DAG is; found out once."""
        if self._survey is None:
            with self.session.namespace_for(self.dag_id) as used:
                request = self.session.request(self.dag_id, used, {})
                self._survey = survey(request, DATES, ForkClient(str(self.session.fork_server())))
        return self._survey

    @property
    def dates(self) -> tuple[str, ...]:
        """The logical dates that experiments use, in order."""
        return self.about.moments

    def carry_out(self, scenario: Scenario) -> Left:
        """Do all steps in a fresh namespace and return what the last one left; a scenario is done once.

        Raises:
            Expired: the proof's time is over.
            RunError: a seed or a snapshot failed.
            ServiceError: a service was lost meanwhile.
            Undecidable: a step did not come to any run.
        """
        if scenario not in self._left:
            trial, todo = self._begin(scenario)
            try:
                while todo:
                    step, *todo = todo
                    left = self._do(trial, step)
                    self._left[trial.done] = left
            except BaseException:
                self._shut(trial)
                raise
            self._keep(trial)
        return self._left[scenario]

    def namespace_after(self, scenario: Scenario) -> Namespace:
        """Return a namespace in which exactly this scenario was carried out, for a closer look."""
        self.carry_out(scenario)
        if scenario not in self._open:
            del self._left[scenario]
            self.carry_out(scenario)
        return self._open[scenario].namespace

    def patience(self, step: Step) -> float:
        """Return how many seconds a step may take now."""
        limit = self.run_deadline
        if self._slowest and (step.faults or not step.inputs):
            limit = min(limit, PATIENCE + 4 * self._slowest)
        if self.until is None:
            return limit
        rest = self.until - time.monotonic()
        if rest <= 0:
            raise Expired("the time for this proof is over")
        return min(limit, max(rest, 1.0))

    # -- trials

    def _begin(self, scenario: Scenario) -> tuple[_Trial, list[Step]]:
        """Find the open trial that came furthest on this way, or open one."""
        for length in range(len(scenario) - 1, 0, -1):
            if trial := self._open.pop(scenario[:length], None):
                return trial, list(scenario[length:])
        session = self._session_for(scenario)
        if self._alone:
            # each open trial has servers to itself, of which there are few, and others may want them too
            while self._open:
                self._close(next(iter(self._open)))
        return _Trial(session, session.open_namespace(alone=self._alone)), list(scenario)

    def _session_for(self, scenario: Scenario) -> Session:
        """Return where a scenario belongs: one under another clock has services of its own under that clock."""
        shift = next((int(shift) for step in scenario for shift in _shifts(step)), 0)
        return self._clocks.session(shift) if shift else self.session

    def _keep(self, trial: _Trial) -> None:
        if previous := self._open.pop(trial.done, None):
            self._shut(previous)
        self._open[trial.done] = trial
        while len(self._open) > OPEN:
            self._close(next(iter(self._open)))

    def _close(self, scenario: Scenario) -> None:
        self._shut(self._open.pop(scenario))

    def _shut(self, trial: _Trial) -> None:
        for service in trial.namespace.services.values():
            service.release()
        trial.session.close_namespace(trial.namespace.name)

    def _do(self, trial: _Trial, step: Step) -> Left:
        self.on_step(step, self.runs)
        whole = trial.whole(step) if step.again else None
        report = whole or self._run(trial, step)
        trial.reports[step.dates] = report
        seeded, before = _seeds(trial, step), self._left.get(trial.done)
        trial.done += (step,)
        everything = snapshot(trial.namespace.services, volatile=self.spec.volatile)
        changed: Iterable[Difference] = ()
        if seeded:
            changed = () if whole else (one for run in report.runs for one in run.outputs)
        elif before is not None:
            changed = diff(before.everything, everything)
        kept = tuple(one for one in changed if holds_data(one) and is_output(one, self.spec))
        return Left(report, everything.only(self.spec), everything, kept)

    def _run(self, trial: _Trial, step: Step) -> RunReport:
        self.runs += 1
        options: RunOptions = {
            "moments": step.dates,
            "inputs": (Dates(moments=step.inputs),) if step.inputs else (),
            # at first even without a date: what stands ready for an input is there when no input comes
            "seed": bool(step.inputs) or not trial.done,
            "data": self._data(step),
            "together": step.together,
            # a second try would strike the same way
            "single_try": tuple(sorted({_struck(fault) for fault in step.faults} - {""})),
            # what a seed puts in place just before is no change of the run's; without a seed the lab knows itself
            "snapshot": _seeds(trial, step) and not step.faults,
            "judge_outputs": False,
            "deadline": self.patience(step),
            "compression": COMPRESSION,
            "faults": step.faults,
        }
        if step.together:
            options["parallelism"] = 2 * len(step.dates)
        part_of_a_run = step.again or step.clear is not None
        if part_of_a_run:
            options["resume"] = trial.folders[step.dates]
            options["clear"] = step.clear
        report = trial.session.run(self.dag_id, namespace=self._with_planted(trial.namespace), **options)
        if report.timed_out and self.until is not None and time.monotonic() > self.until:
            raise Expired("the time for this proof is over")
        refuse_ruins(step, report)
        if report.passed and not step.faults:
            self._slowest = max(self._slowest, report.seconds)
        if not part_of_a_run:
            # what is run again later goes on with the metadata of this run
            trial.folders[step.dates] = Path(report.folder or "")
        return report

    def _data(self, step: Step) -> Any:
        return self._changed(step.change)

    def _changed(self, change: Change) -> Any:
        data = self.session.environment.spec.data
        asked = None if change == "none" else change
        return data.model_copy(update={"seed": data.seed + (change == "value"), "change": asked})

    def input_of(self, date: str, change: Change) -> str:
        """Return a fingerprint of what the seed puts in place for a date, in a fresh namespace."""
        if (date, change) not in self._inputs:
            with self.session.namespace_for(self.dag_id) as used:
                options: RunOptions = {"moments": (date,), "data": self._changed(change)}
                request = self.session.request(self.dag_id, used, options)
                client = ForkClient(str(self.session.fork_server()))
                self._inputs[date, change] = fingerprint_of_inputs(request, client)
        return self._inputs[date, change]

    def _with_planted(self, namespace: Namespace) -> Namespace:
        planted = {f"AIRFLOW_VAR_{name.upper()}": value for name, value in self.planted.items()}
        return dataclasses.replace(namespace, environ={**namespace.environ, **planted})


@dataclasses.dataclass
class _Trial:
    """A namespace in which a scenario is under way."""

    session: Session
    namespace: Namespace
    done: Scenario = ()
    folders: dict[tuple[str, ...], Path] = dataclasses.field(default_factory=dict)
    reports: dict[tuple[str, ...], RunReport] = dataclasses.field(default_factory=dict)

    def whole(self, step: Step) -> RunReport | None:
        """Return the last report of the step's dates when nothing in it failed: there is nothing to run again."""
        report = self.reports.get(step.dates)
        return report if report is not None and report.passed else None


def _seeds(trial: _Trial, step: Step) -> bool:
    """Tell whether inputs are put in place before a step; before the first one the stores are not known either."""
    return bool(step.inputs) or not trial.done


def refuse_ruins(step: Step, report: RunReport) -> None:
    """Refuse to conclude anything from a step that was not carried out.

    Raises:
        ServiceError: a service was lost.
        Undecidable: there is no run, not even a failed one.
    """
    lost = [one for one in report.services if not one.healthy]
    if lost and not report.passed:
        message = f"it was lost during '{step.in_words()}': {lost[0].detail or 'it does not answer'}"
        raise ServiceError(message, role=lost[0].service, engine=lost[0].engine)
    if not report.runs:
        raise Undecidable(f"'{step.in_words()}' came to no run: {'; '.join(report.reasons) or 'no reason was given'}")


def _struck(fault: Fault) -> str:
    """Return the task that a fault strikes on every try; nothing for any other fault."""
    if fault.type not in ("task", "outage") or fault.attempt is not None:
        return ""
    return unmapped(fault.task if fault.type == "task" else fault.during)


def _shifts(step: Step) -> Iterator[float]:
    for fault in step.faults:
        if fault.type == "clock" and fault.shift_seconds:
            yield fault.shift_seconds


class Clocks:
    """Sessions on the same services under other clocks; each is started when it is first asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._shifted: dict[int, Session] = {}

    def session(self, seconds: int) -> Session:
        """Return an open session whose services are off by so many seconds.

        Raises:
            Undecidable: they do not start under another clock.
        """
        if seconds not in self._shifted:
            environment = _shifted(self._session.environment, seconds)
            opened = type(self._session)(environment, dags=self._session.dags)
            try:
                opened.start()
            except ServiceError as error:
                raise Undecidable(f"no services under another clock: {error}") from error
            self._shifted[seconds] = opened
        return self._shifted[seconds]

    def close(self) -> None:
        """End them all; idempotent."""
        while self._shifted:
            self._shifted.popitem()[1].close()


def _shifted(environment: Environment, seconds: int) -> Environment:
    services = {
        # a broker makes nothing of its clock that outputs are compared by
        name: service.model_copy(update={"clock": 0 if service.role == "kafka" else seconds})
        for name, service in environment.spec.services.items()
    }
    spec = environment.spec.model_copy(update={"services": services})
    return dataclasses.replace(environment, spec=spec)


def _sensitive_variables(session: Session) -> list[str]:
    """Name the variables whose name says that they hold a secret, by the words that Airflow's own masker goes by."""
    words = ("secret", "token", "password", "passwd", "passphrase", "api_key", "apikey", "private_key", "access_key")
    variables = session.environment.spec.airflow.variables
    return [
        name
        for name, value in variables.items()
        if isinstance(value, str) and any(word in name.lower() for word in words)
    ]
