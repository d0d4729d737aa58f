"""Write, audit, publish: write_staging >> audits in parallel >> publish; any red audit >> quarantine and a mail.

Nobody reads staging but the audits, and they judge the run's own day and version alone: what another day left there, or
what is written meanwhile, is not theirs. `publish` has the default rule and no upstream but audits, each of which hands
over the version that it has judged; it replaces the day in one commit. An audit does not retry: the same rows would be
refused again.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import CronDataIntervalTimetable, TriggerRule, Variable, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from jobs.common.intervals import day_of
from jobs.wap.contract import Layout

DEFAULTS = {
    "owner": "events",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=10),
}
AUDITS = ("row_count", "unique_key", "no_nulls", "allowed_values", "references")


def layout() -> Layout:
    """Return where this environment keeps the tables."""
    return Layout(f"s3a://{Variable.get('lake_bucket')}")


@task(pool="spark")
def write_staging(data_interval_start: pendulum.DateTime | None = None) -> int:
    """Replace the day in staging, and return the version of the table that has it."""
    from jobs.common.connections import delta_storage
    from jobs.common.spark import spark_session
    from jobs.wap.contract import landing_key
    from jobs.wap.tables import open_table, stage

    day, staging = day_of(data_interval_start), layout().staging
    with spark_session("wap_events.write_staging") as spark:
        stage(spark, f"s3a://{Variable.get('landing_bucket')}/{landing_key(day)}", staging=staging, day=day)
    return open_table(staging, delta_storage("lake")).version()


def audit(name: str, version: int, data_interval_start: pendulum.DateTime | None = None, ti=None) -> int:
    """Judge the day's rows of that version; fail with what is wrong, or hand the version on."""
    from jobs.common.connections import delta_storage, postgres_dsn
    from jobs.wap import audits
    from jobs.wap.tables import of_day, open_table

    day, bounds = day_of(data_interval_start), Variable.get("wap_events_rows", deserialize_json=True)
    users = audits.read_users(postgres_dsn("warehouse")) if name == "references" else ()
    agreed = audits.Agreed(day, low=bounds["low"], high=bounds["high"], users=users)
    rows = of_day(open_table(layout().staging, delta_storage("lake"), version), day)
    finding = audits.AUDITS[name](rows, agreed)
    if finding:
        ti.xcom_push(key="finding", value=finding)
        raise AirflowFailException(f"{name}: {finding}")
    return version


@task(pool="spark")
def publish(audited: list[int], data_interval_start: pendulum.DateTime | None = None) -> None:
    """Replace the published day by the version that all audits have judged."""
    from jobs.common.spark import spark_session
    from jobs.wap import tables

    if len(set(audited)) != 1:
        raise AirflowFailException(f"the audits judged different versions: {audited}")
    with spark_session("wap_events.publish") as spark:
        day, at = day_of(data_interval_start), layout()
        tables.publish(spark, staging=at.staging, version=audited[0], published=at.published, day=day)


@task(trigger_rule=TriggerRule.ONE_FAILED)
def quarantine(data_interval_start: pendulum.DateTime | None = None, ti=None) -> int:
    """Set the refused day aside, and tell the operators which audits refused it."""
    from jobs.common.connections import delta_storage, s3_client
    from jobs.common.mail import send_once
    from jobs.wap.contract import told_key
    from jobs.wap.quarantine import complaint, set_aside

    found = {name: ti.xcom_pull(task_ids=f"audit_{name}", key="finding") for name in AUDITS}
    findings = {name: finding for name, finding in found.items() if finding}
    if not findings:
        raise AirflowSkipException("no audit refused the day: a task failed for another reason")
    day, version = day_of(data_interval_start), ti.xcom_pull(task_ids="write_staging")
    rows = set_aside(layout(), delta_storage("lake"), day=day, version=version)
    mail = complaint(day, rows, findings, to=Variable.get("operators_mail"))
    s3, bucket = s3_client("lake"), Variable.get("lake_bucket")
    send_once(mail, conn_id="mail", s3=s3, bucket=bucket, marker=told_key(day))
    return rows


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,  # the version that `write_staging` returns is the last one: nobody else may write in between
    default_args=DEFAULTS,
    tags=["wap", "delta", "s3", "postgres", "smtp"],
    doc_md=__doc__,
)
def wap_events():
    """Wire the audits between the two tables."""
    version = write_staging()
    audited = [task(task_id=f"audit_{name}")(audit)(name, version) for name in AUDITS]
    publish(audited)
    audited >> quarantine()


wap_events()
