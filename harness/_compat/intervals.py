"""The run that a DAG's timetable has for a date, asked of a DAG as its author wrote it.

Bridges: the SDK's timetables know no dates; the scheduler's form of each is found by a private function.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk.timezone import coerce_datetime
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables.base import TimeRestriction

Interval = tuple[datetime, datetime]


def scheduled(dag: Any, first: datetime, last: datetime) -> tuple[datetime, Interval, datetime] | None:
    """Return logical date, data interval and `run_after` of the first scheduled run from `first` to before `last`.

    None when there is none, or when nothing schedules the DAG.
    """
    timetable = coerce_to_core_timetable(dag.timetable)
    if not timetable.can_be_scheduled:
        return None
    restriction = TimeRestriction(earliest=coerce_datetime(first), latest=None, catchup=True)
    info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    if info is None or info.logical_date is None or not first <= info.logical_date < last:
        return None
    return info.logical_date, (info.data_interval.start, info.data_interval.end), info.run_after


def manual(dag: Any, moment: datetime) -> Interval:
    """Return the data interval of a manual run at a moment."""
    inferred = coerce_to_core_timetable(dag.timetable).infer_manual_data_interval(run_after=coerce_datetime(moment))
    return inferred.start, inferred.end
