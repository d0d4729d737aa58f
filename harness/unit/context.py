"""The context that a task of a logical date gets, made without a scheduler, a server or a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness._compat.task_instance import RunFacts
    from harness._compat.task_requests import Supervisor

Moment = str | date | datetime
XComs = Mapping[str | tuple[str, str] | tuple[str, str, int], Any]

DAG_ID = "unit_test"
"""Of the DAG that is made for an operator that has none."""


def task_context(  # noqa: PLR0913 - each is a fact of a run that a test may want to state
    operator: Any,
    date: Moment | None = "2026-01-01",
    *,
    data_interval: tuple[Moment, Moment] | None = None,
    previous: Moment | None = None,
    xcoms: XComs | None = None,
    conf: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    run_type: str | None = None,
    run_id: str | None = None,
    try_number: int = 1,
    map_index: int = -1,
    reschedules: int = 0,
    supervisor: Supervisor | None = None,
) -> dict[str, Any]:
    """Return the context of a task: what `execute(context)` and templates get in a real run, by Airflow's own code.

    `context["ti"]` pushes and pulls XComs in memory. `var` and `conn` read `AIRFLOW_VAR_*` and `AIRFLOW_CONN_*`. A
    request that only a real run can answer (how many runs there are, say) is refused by name.

    Outside of pytest, use it in a `with supervised():` block; the fixture of the same name does that.

    Args:
        operator: an operator, or what calling a decorated task returns. Without a DAG it gets one that is scheduled
            daily; its `params` and `default_args` count as ever.
        date: the logical date. A date means the first run that the DAG's timetable has on that day, in the DAG's time
            zone; a timestamp means that moment. None makes a run without a logical date.
        data_interval: start and end, instead of the timetable's own. (Airflow 3's cron schedules have intervals
            without a width: start and end are the logical date.)
        previous: logical date of the last successful run; without one, `prev_*_success` are None.
        xcoms: what earlier tasks have pushed: `{"extract": 3}` is a return value, `{("extract", "rows"): 3}` another
            key, and `{("extract", "return_value", 0): 3}` that of one mapped instance.
        conf: what the run was triggered with; overrides params, as ever.
        params: overrides those of the DAG and the operator.
        run_type: `scheduled`, `manual`, `backfill` or `asset_triggered`; manual when there is no date or no schedule.
        run_id: instead of one made of type and date.
        try_number: 1 for the first try.
        map_index: of a mapped instance.
        reschedules: how often a sensor was rescheduled before.
        supervisor: answers for the task, and holds the XComs; the one in whose block this is, or a new one.

    Raises:
        ConfigError: a date that cannot be read, or on which the DAG has no run.
    """
    from harness._compat.task_instance import TryFacts, runtime_instance
    from harness._compat.task_requests import current, installed

    task = _in_dag(getattr(operator, "operator", operator))
    answers = supervisor or current()
    run = replace(_run(task.dag, date, run_type), run_id=run_id, conf={**(conf or {}), **(params or {})})
    if data_interval is not None:
        start, end = (_first_moment(task.dag, moment) for moment in data_interval)
        run = replace(run, data_interval=(start, end))
    ti = runtime_instance(task, run, TryFacts(try_number, map_index, reschedules), answers)
    for place, value in (xcoms or {}).items():
        _push(answers, ti, place, value)
    answers.previous = _previous(task.dag, previous)
    answers.rescheduled_since = run.run_after if reschedules else None
    with installed(answers):
        context: dict[str, Any] = ti.get_template_context()
    context["dag_run"].conf = dict(conf or {})
    return context


def _in_dag(task: Any) -> Any:
    from airflow.sdk import DAG

    if not task.has_dag():
        task.dag = DAG(DAG_ID, schedule="@daily", start_date=datetime(2000, 1, 1, tzinfo=UTC), catchup=False)
    # the dag processor does this once for each DAG: `sql="load.sql"` becomes the file's text
    task.resolve_template_files()
    return task


def _run(dag: Any, given: Moment | None, run_type: str | None) -> RunFacts:
    from harness._compat.task_instance import RunFacts

    if given is None:
        return RunFacts(datetime(2026, 1, 1, tzinfo=UTC), run_type or "manual")
    logical, interval, after, planned = _planned(dag, given, by_hand=run_type == "manual")
    return RunFacts(after, run_type or planned, logical_date=logical, data_interval=interval)


def _planned(
    dag: Any, given: Moment, *, by_hand: bool = False
) -> tuple[datetime, tuple[datetime, datetime], datetime, str]:
    """Return logical date, data interval, `run_after` and type of the run that a date means."""
    from harness._compat import intervals

    first = _first_moment(dag, given)
    whole_day = _is_day(given)
    last = first + (timedelta(days=1) if whole_day else timedelta(microseconds=1))
    found = None if by_hand else intervals.scheduled(dag, first, last)
    if found is not None:
        return *found, "scheduled"
    if whole_day and not by_hand and dag.timetable.can_be_scheduled:
        raise ConfigError(
            f"{dag.dag_id} has no run on {first.date()} ({dag.timezone}): its schedule is {dag.schedule}",
            hint='choose a date that has one, a timestamp, or run_type="manual"',
        )
    return first, intervals.manual(dag, first), first, "manual"


def _is_day(given: Moment) -> bool:
    if isinstance(given, str):
        return len(given) == len("2026-01-02")
    return not isinstance(given, datetime)


def _first_moment(dag: Any, given: Moment) -> datetime:
    """Return the moment that is given, or the first of the day, in the DAG's time zone when none is said."""
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        raise ConfigError(
            f"{given!r} is not a date", hint="write 2026-01-02 or 2026-01-02T05:00:00+00:00, or give a datetime"
        ) from None
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time.min)
    return moment if moment.tzinfo else moment.replace(tzinfo=dag.timezone)


def _previous(dag: Any, given: Moment | None) -> dict[str, Any]:
    if given is None:
        return {}
    _, (start, end), after, _ = _planned(dag, given)
    return {"data_interval_start": start, "data_interval_end": end, "start_date": after, "end_date": after}


def _push(supervisor: Supervisor, ti: Any, place: str | tuple[Any, ...], value: Any) -> None:
    from airflow.sdk.serde import serialize

    task_id, key, index = (*(place if isinstance(place, tuple) else (place,)), "return_value", -1)[:3]
    if isinstance(place, tuple) and len(place) == 2:
        index = -1
    supervisor.xcoms.setdefault((ti.dag_id, ti.run_id, task_id, key), {})[index] = serialize(value)
