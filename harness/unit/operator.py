"""Executing one operator as a worker does, and what there is to assert on afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from harness.errors import ConfigError
from harness.unit.logs import Logs, captured_logs

_BY_ERROR = ("failed", "up_for_retry")


@dataclass(frozen=True)
class Deferral:
    """What an operator waits for in the triggerer.

    Args:
        trigger: class path of the trigger.
        arguments: that it is made with.
        method: of the operator, that goes on with the trigger's event.
        kwargs: that the method gets besides the event.
        timeout: after which the task fails.
    """

    trigger: str
    arguments: Mapping[str, Any]
    method: str
    kwargs: Mapping[str, Any]
    timeout: timedelta | None = None


@dataclass(frozen=True)
class Triggered:
    """A run of another DAG that a task has asked for."""

    dag_id: str
    run_id: str
    conf: Mapping[str, Any]
    logical_date: datetime | None = None


@dataclass(frozen=True)
class OperatorRun:
    """How one execution of an operator went.

    Args:
        state: `success`, `skipped`, `deferred`, `up_for_reschedule` or `awaiting_input`.
        result: what `execute` returned.
        xcoms: what this task instance has pushed, by key; the returned value is `return_value`.
        rendered: the operator's template fields after rendering.
        logs: what was logged, structured and masked.
        deferral: what it waits for, when it is deferred.
        reschedule: when a sensor in reschedule mode looks again.
        skipped: ids of the tasks that a branch has skipped, in order.
        triggered: runs of other DAGs that it asked for.
        outlets: name and URI of the assets that it has updated.
        waited: seconds that a sensor in poke mode would have slept.
        operator: the copy of the operator that was executed; the one given is left as it was.
    """

    state: str
    result: Any
    xcoms: Mapping[str, Any]
    rendered: Mapping[str, Any]
    logs: Logs
    operator: Any
    deferral: Deferral | None = None
    reschedule: datetime | None = None
    skipped: tuple[str, ...] = ()
    triggered: tuple[Triggered, ...] = ()
    outlets: tuple[tuple[str | None, str | None], ...] = ()
    waited: float = 0.0


def run_operator(operator: Any, context: Mapping[str, Any] | None = None) -> OperatorRun:
    """Execute an operator with Airflow's own task runner, in this process.

    Templates are rendered on a copy, `pre_execute`, `on_execute_callback`, `execute` and `post_execute` are called,
    what is returned or pushed goes through XCom's serializer. Deferral, rescheduling, skipping and branching are
    outcomes; other exceptions are raised as they are. A sensor in poke mode does not sleep: the time it would have
    slept passes at once, so that its timeout is reached. Success and failure callbacks are not called.

    Args:
        operator: an operator, or what calling a decorated task returns.
        context: from `task_context`; that of `task_context(operator)` when None.

    Raises:
        ConfigError: the context belongs to another task.
    """
    from harness.unit.context import task_context

    task = getattr(operator, "operator", operator)
    given: Any = task_context(task) if context is None else context
    ti = given["ti"]
    if (ti.task_id, ti.dag_id) != (task.task_id, task.dag_id):
        raise ConfigError(
            f"the context is one of the task {ti.dag_id}.{ti.task_id}, and not of this {task.task_id}",
            hint="make the operator once, and its context with task_context(operator)",
        )
    ti.task = task
    return _executed(ti, given)


def resume_operator(operator: Any, deferral: Deferral, event: Any, context: Mapping[str, Any]) -> OperatorRun:
    """Go on with a deferred operator, as when its trigger has fired.

    Args:
        deferral: of the run that was deferred.
        event: the payload of the trigger's event.
        context: of the run that was deferred.
    """
    from harness._compat.task_instance import resume_with

    resume_with(context["ti"], deferral.method, {**deferral.kwargs, "event": event})
    return run_operator(operator, context)


def _executed(ti: Any, context: Any) -> OperatorRun:
    import structlog

    from harness._compat.sensor_clock import sensor_clock
    from harness._compat.task_execution import execute
    from harness._compat.task_instance import supervisor_of
    from harness._compat.task_requests import current, installed

    supervisor = supervisor_of(ti) or current()
    skipped, triggered = len(supervisor.skipped), len(supervisor.triggered)
    with installed(supervisor), captured_logs() as logs, sensor_clock() as clock:
        done = execute(ti, context, structlog.get_logger("task"))
    if done.error is not None and done.state in _BY_ERROR:
        raise done.error
    pushed = {
        key: values[ti.map_index]
        for (*owner, key), values in supervisor.xcoms.items()
        if owner == [ti.dag_id, ti.run_id, ti.task_id] and ti.map_index in values
    }
    return OperatorRun(
        state=done.state,
        result=done.returned,
        xcoms=_decoded(pushed),
        rendered={name: getattr(ti.task, name, None) for name in ti.task.template_fields},
        logs=logs,
        operator=ti.task,
        deferral=_deferral(done.message) if done.state == "deferred" else None,
        reschedule=getattr(done.message, "reschedule_date", None),
        skipped=tuple(supervisor.skipped[skipped:]),
        triggered=tuple(_triggered(one) for one in supervisor.triggered[triggered:]),
        outlets=tuple((one.name, one.uri) for one in getattr(done.message, "task_outlets", None) or ()),
        waited=clock.waited,
    )


def _decoded(values: Mapping[str, Any]) -> dict[str, Any]:
    from harness._compat.task_execution import decoded

    return {name: decoded(value) for name, value in values.items()}


def _deferral(message: Any) -> Deferral:
    from harness._compat.task_execution import decoded

    return Deferral(
        message.classpath,
        decoded(message.trigger_kwargs),
        message.next_method,
        decoded(message.next_kwargs),
        message.trigger_timeout,
    )


def _triggered(message: Any) -> Triggered:
    return Triggered(message.dag_id, message.run_id, message.conf or {}, message.logical_date)
