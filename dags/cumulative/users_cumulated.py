"""Everyone who was ever active on the site, day by day: cumulate >> audit.

The state of a day is yesterday's, full outer joined with today's users: who has been here, since when, until when, and
on how many days. So history is read once, and not anew every day; the price is that the order of days matters. Each
task waits for its own success of the day before (`depends_on_past`), one run is active at a time, history begins on a
day that never moves, and a day whose yesterday is missing fails. A day that is run again rebuilds all days after it.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Variable, dag, task

from jobs.common.intervals import day_of
from jobs.cumulative.cumulate import Layout

#: when history begins; another start would be another table
START = pendulum.datetime(2026, 1, 1, tz="UTC")

DEFAULTS = {
    "owner": "events",
    "depends_on_past": True,
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=10),
}


def layout() -> Layout:
    """Return where this environment keeps events and states."""
    landing, lake = (f"s3a://{Variable.get(name)}" for name in ("landing_bucket", "lake_bucket"))
    return Layout(landing, lake, START.date())


@task(pool="spark")
def cumulate(data_interval_start: pendulum.DateTime | None = None) -> list[str]:
    """Make the state of the day, and of all days that were built on it."""
    from jobs.common.connections import delta_storage
    from jobs.common.failing import final
    from jobs.common.spark import spark_session
    from jobs.cumulative import cumulate as job

    day = day_of(data_interval_start)
    with final(job.YesterdayMissing), spark_session("users_cumulated.cumulate") as spark:
        days = job.cumulate(spark, day=day, layout=layout(), storage=delta_storage("lake"))
    return [str(one) for one in days]


@task
def audit(data_interval_start: pendulum.DateTime | None = None) -> dict:
    """Fail, with a user, unless everyone who was there yesterday is there today; another try would read the same."""
    from jobs.common.connections import delta_storage
    from jobs.common.failing import final
    from jobs.cumulative import audit as audits

    with final(audits.AuditFailed):
        return audits.audit(day=day_of(data_interval_start), layout=layout(), storage=delta_storage("lake"))


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=START,
    catchup=True,  # a day that is left out is one that all later ones wait for
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["cumulative", "delta"],
    doc_md=__doc__,
)
def users_cumulated():
    """Wire the tasks."""
    cumulate() >> audit()


users_cumulated()
