"""Orders from the shop's log to the warehouse: produce >> bronze >> silver >> gold >> publish >> audit.

A logical date D stands for the data interval [D, D+1) in UTC, and the run of D works off the log of day D. (A cron
string as `schedule` would give an interval of no width at the moment of firing, and so the day that has just begun.)
Each task can be cleared or run again, and days can be run in any order: the same tables come out.
"""

from dataclasses import asdict
from datetime import timedelta

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Variable, dag, task
from airflow.sdk.exceptions import AirflowFailException

from jobs.medallion.contract import Layout, landing_key

DEFAULTS = {
    "owner": "orders",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=10),
}


def layout() -> Layout:
    """Return where this environment keeps the tables."""
    return Layout(f"s3a://{Variable.get('lake_bucket')}")


@task
def produce(data_interval_start: pendulum.DateTime | None = None) -> dict:
    """Send the day's lines that the topic lacks."""
    from jobs.common.connections import kafka_config, s3_lines
    from jobs.medallion.produce import produce as send

    if data_interval_start is None:
        raise AirflowFailException("a run of this DAG needs a logical date: it says which day's log is meant")
    day = data_interval_start.in_timezone("UTC").date()
    lines = s3_lines("lake", Variable.get("landing_bucket"), landing_key(day))
    return asdict(send(lines, day=day, topic=Variable.get("orders_topic"), config=kafka_config("events")))


@task(pool="spark")
def bronze() -> dict:
    """Append what is new in the topic."""
    from jobs.common.connections import kafka_config
    from jobs.common.spark import spark_session
    from jobs.medallion.bronze import bronze as append

    with spark_session("orders_medallion.bronze") as spark:
        topic, config = Variable.get("orders_topic"), kafka_config("events")
        return asdict(append(spark, topic=topic, config=config, layout=layout()))


@task(pool="spark")
def silver() -> dict:
    """Merge what is new in bronze into silver and quarantine."""
    from jobs.common.connections import postgres_dsn
    from jobs.common.spark import spark_session
    from jobs.medallion.rates import read_rates
    from jobs.medallion.silver import silver as refine

    with spark_session("orders_medallion.silver") as spark:
        return asdict(refine(spark, layout=layout(), rates=read_rates(postgres_dsn("warehouse"))))


@task(pool="spark")
def gold() -> dict:
    """Make anew the event dates that silver changed on."""
    from jobs.common.spark import spark_session
    from jobs.medallion.gold import gold as aggregate

    with spark_session("orders_medallion.gold") as spark:
        return asdict(aggregate(spark, layout=layout()))


@task
def publish() -> dict:
    """Replace the event dates on which the warehouse differs from gold."""
    from jobs.common.connections import delta_storage, postgres_dsn
    from jobs.medallion.publish import publish as replace

    return asdict(replace(dsn=postgres_dsn("warehouse"), layout=layout(), storage=delta_storage("lake")))


@task(pool="spark")
def audit(produced: dict) -> dict:
    """Fail, with the numbers, unless every message is accounted for; another try would count the same rows."""
    from jobs.common.connections import delta_storage, postgres_dsn
    from jobs.common.failing import final
    from jobs.common.spark import spark_session
    from jobs.medallion import audit as audits

    stores = audits.Stores(layout(), delta_storage("lake"), postgres_dsn("warehouse"))
    with final(audits.AuditFailed), spark_session("orders_medallion.audit") as spark:
        return audits.audit(spark, produced=audits.Produced(**produced), stores=stores)


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    # one checkpoint has one owner, and "read the topic, send what is missing" is not atomic; a backfill has its own
    # bound, so give `airflow backfill create` --max-active-runs 1
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["medallion", "kafka", "delta", "postgres"],
    doc_md=__doc__,
)
def orders_medallion():
    """Wire the layers."""
    produced = produce()
    produced >> bronze() >> silver() >> gold() >> publish() >> audit(produced)


orders_medallion()
