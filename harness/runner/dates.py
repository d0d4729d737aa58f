"""Which runs a selection of dates means for a DAG: the timetable's own answer, never arithmetic on days.

Cron strings and timedeltas have zero-width data intervals in Airflow 3 (`[scheduler] create_cron_data_intervals`), a
day may have 23 or 25 hours, and a timetable may skip days: so each run is asked of the timetable.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from harness.environment.spec import DateRange
from harness.errors import ConfigError
from harness.runner.request import Dates


@dataclass
class Plan:
    """One run to create."""

    logical_date: datetime | None
    data_interval: tuple[datetime, datetime] | None
    run_after: datetime
    manual: bool


def plan(dag: Any, dates: Dates, declared: DateRange | None, now: datetime | None = None) -> list[Plan]:
    """Return the runs that are asked for, in the order of their logical dates.

    Args:
        dag: the scheduler's form of the DAG: `timezone`, `timetable`, `iter_dagrun_infos_between`.
        dates: the selection; when it names no date, `declared`, else the last run that was due.
        declared: the `dates` of the environment's declaration of the DAG.
        now: the present.

    Raises:
        ConfigError: a date that cannot be read, that has no run, or that has not come yet.
    """
    now = now or datetime.now(UTC)
    if dates.moments:
        made = [_exact(dag, datetime.fromisoformat(moment), dates.manual) for moment in dates.moments]
    else:
        made = _chosen(dag, dates, declared, now)
    late = next((one for one in made if one.run_after > now), None)
    if late is not None:
        raise ConfigError(
            f"the run of {dag.dag_id} for {late.logical_date} is not due before {late.run_after}",
            hint="Airflow does not run dates of the future; choose an earlier one",
        )
    return made


def local(dag: Any, plans: Iterable[Plan]) -> list[datetime | None]:
    """Return the logical dates in the DAG's own time zone: midnight there is the day before in UTC, east of it."""
    return [plan.logical_date and plan.logical_date.astimezone(dag.timezone) for plan in plans]


def with_date(conf: dict[str, Any] | None, logical: datetime | None) -> dict[str, Any] | None:
    """Return a declared `conf` for a run: `{{ ds }}` in its texts becomes the logical date (UTC)."""
    if conf is None or logical is None:
        return conf
    ds = logical.astimezone(UTC).date().isoformat()
    filled: dict[str, Any] = json.loads(json.dumps(conf).replace("{{ ds }}", ds))
    return filled


def _chosen(dag: Any, dates: Dates, declared: DateRange | None, now: datetime) -> list[Plan]:
    if dates.date is not None and dates.date.lower() == "none":
        return [Plan(None, None, now, manual=True)]
    if dates.date is not None:
        moment = read(dates.date)
        if isinstance(moment, datetime):
            return [_exact(dag, moment if moment.tzinfo else moment.replace(tzinfo=dag.timezone), dates.manual)]
        return _days(dag, moment, moment, dates.manual)
    if dates.from_ is not None or dates.to is not None:
        first, last = dates.from_ or dates.to, dates.to or dates.from_
        assert first is not None
        assert last is not None
        return _days(dag, first, last, dates.manual)
    if declared is not None:
        return [one for first, last in declared.spans for one in _days(dag, first, last, dates.manual)]
    return [_latest(dag, dates.manual, now)]


def read(text: str) -> date | datetime:
    """Return the day or the moment that a text means; raises ConfigError for any other text."""
    try:
        if len(text) == len("2026-01-02"):
            return date.fromisoformat(text)
        return datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{text!r} is not a date", hint="write 2026-01-02, 2026-01-02T05:00:00+00:00 or none"
        ) from None


def _days(dag: Any, first: date, last: date, manual: bool) -> list[Plan]:
    if first > last:
        raise ConfigError(f"the first date, {first}, is after the last, {last}")
    if manual or not by_time(dag):
        days = ((first + timedelta(days=n)) for n in range((last - first).days + 1))
        return [_manual(dag, _midnight(dag, day)) for day in days]
    start, end = _midnight(dag, first), _midnight(dag, last + timedelta(days=1))
    found = list(_scheduled(dag, start, end))
    if not found:
        span = f"on {first}" if first == last else f"from {first} to {last}"
        raise ConfigError(
            f"{dag.dag_id} has no run {span} ({dag.timezone.name}): its schedule is {dag.timetable.summary}",
            hint=_nearest(dag, end) + "--manual makes a manual run of any date",
        )
    return found


def by_time(dag: Any) -> bool:
    """Tell whether time makes the DAG's runs; not where its timetable makes none, and not where assets alone do."""
    from airflow.timetables.simple import AssetTriggeredTimetable

    return bool(dag.timetable.can_be_scheduled) and type(dag.timetable) is not AssetTriggeredTimetable


def _midnight(dag: Any, day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=dag.timezone)


def _scheduled(dag: Any, start: datetime, end: datetime) -> Iterator[Plan]:
    for info in dag.iter_dagrun_infos_between(start, end):
        logical = info.logical_date
        if logical is not None and start <= logical < end:
            yield Plan(logical, (info.data_interval.start, info.data_interval.end), info.run_after, manual=False)


def _nearest(dag: Any, after: datetime) -> str:
    following = next(iter(_scheduled(dag, after, after + timedelta(days=400))), None)
    return f"the next one is {following.logical_date}; " if following else ""


def _manual(dag: Any, logical: datetime) -> Plan:
    interval = dag.timetable.infer_manual_data_interval(run_after=_coerce(logical))
    return Plan(_coerce(logical), (interval.start, interval.end), _coerce(logical), manual=True)


def _exact(dag: Any, moment: datetime, manual: bool) -> Plan:
    if not manual and by_time(dag):
        # the timetable's answer for this very moment, when it has one; any other moment makes a manual run
        for found in _scheduled(dag, moment, moment + timedelta(microseconds=1)):
            return found
    return _manual(dag, moment)


def _latest(dag: Any, manual: bool, now: datetime) -> Plan:
    today = now.astimezone(dag.timezone).date()
    if manual or not by_time(dag):
        return _manual(dag, _midnight(dag, today))
    for days in (2, 10, 40, 400):
        due = [one for one in _scheduled(dag, now - timedelta(days=days), now) if one.run_after <= now]
        if due:
            return due[-1]
    raise ConfigError(f"{dag.dag_id} had no run in the last 400 days", hint="name one with --date")


def _coerce(moment: datetime) -> Any:
    from airflow.sdk.timezone import coerce_datetime

    return coerce_datetime(moment)
