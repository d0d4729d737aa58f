"""What a run's data interval means to a task: the day that the run is about."""

from __future__ import annotations

from datetime import UTC, date, datetime


def day_of(start: datetime | None) -> date:
    """Return the UTC day on which a data interval starts.

    Raises:
        AirflowFailException: the run has no interval, as a manual run without a logical date; a retry has none either.
    """
    from airflow.sdk.exceptions import AirflowFailException

    if start is None:
        raise AirflowFailException("a run of this DAG needs a logical date: it says which day is meant")
    utc = start.astimezone(UTC)
    # a plain date: pendulum's own, which a pendulum instant gives, is refused by Spark
    return date(utc.year, utc.month, utc.day)
