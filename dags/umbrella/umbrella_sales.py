"""Umbrella demand: [fetch >> clean weather, fetch >> clean one ERP's sales] >> join >> train >> latest_only >> deploy.

Each day trains a model of its own, so days can be run again and in any order. The sales moved to another ERP: the
branch on the interval's start takes days before the switch from the old one, also when they are run years later. Only
the newest day's model is deployed; a backfill trains, and deploys nothing.
"""

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.sdk import CronDataIntervalTimetable, TriggerRule, Variable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from jobs.common.intervals import day_of
from jobs.umbrella.contract import key, uses_old_erp

DEFAULTS = {
    "owner": "demand",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


def fetch(kind: str, data_interval_start: pendulum.DateTime | None = None) -> None:
    """Keep what the upstream says about the interval's day, byte for byte."""
    from jobs.common.connections import s3_client
    from jobs.common.http import http_client
    from jobs.umbrella import fetch as fetchers

    day = day_of(data_interval_start)
    with http_client("umbrella") as client:
        content = getattr(fetchers, f"fetch_{kind}")(client, day)
    s3_client("lake").put_object(Bucket=Variable.get("lake_bucket"), Key=key(f"raw/{kind}", day), Body=content)


def clean(kind: str, to: str, data_interval_start: pendulum.DateTime | None = None) -> None:
    """Make rows of what was kept; either ERP's end in the same object, of the same form."""
    from jobs.common.connections import s3_client
    from jobs.umbrella import clean as cleaners

    s3, bucket, day = s3_client("lake"), Variable.get("lake_bucket"), day_of(data_interval_start)
    raw = s3.get_object(Bucket=bucket, Key=key(f"raw/{kind}", day))["Body"].read()
    rows = getattr(cleaners, f"clean_{kind}")(raw)
    s3.put_object(Bucket=bucket, Key=key(f"clean/{to}", day), Body=cleaners.to_json(rows))


@task.branch
def pick_erp_system(data_interval_start: pendulum.DateTime | None = None) -> str:
    """Name the task to go on with; the other ERP's tasks are skipped."""
    return "fetch_sales_old" if uses_old_erp(day_of(data_interval_start)) else "fetch_sales_new"


@task
def join_datasets(data_interval_start: pendulum.DateTime | None = None) -> int:
    """Replace the day's rows of the demand table."""
    from jobs.common.connections import postgres_dsn, s3_client
    from jobs.umbrella.clean import sales_of, weather_of
    from jobs.umbrella.demand import join, replace_day

    s3, bucket, day = s3_client("lake"), Variable.get("lake_bucket"), day_of(data_interval_start)
    sales, weather = (
        s3.get_object(Bucket=bucket, Key=key(f"clean/{kind}", day))["Body"].read() for kind in ("sales", "weather")
    )
    return replace_day(postgres_dsn("warehouse"), day, join(sales_of(sales), weather_of(weather)))


@task
def train_model(data_interval_start: pendulum.DateTime | None = None) -> str:
    """Fit the day's model, and register it; a day without sales has none."""
    from jobs.common.connections import postgres_dsn, s3_client
    from jobs.umbrella.model import register, train

    dsn = postgres_dsn("warehouse")
    day = day_of(data_interval_start)
    model = train(dsn, day)
    if model is None:
        raise AirflowSkipException(f"no sales on {day}: there is nothing to learn from")
    return register(model, dsn=dsn, s3=s3_client("lake"), bucket=Variable.get("lake_bucket"))


@task
def deploy_model(model_id: str) -> bool:
    """Point to the model that this run has trained."""
    from jobs.common.connections import postgres_dsn
    from jobs.umbrella.model import deploy

    return deploy(model_id, dsn=postgres_dsn("warehouse"))


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=4,
    default_args=DEFAULTS,
    tags=["umbrella", "http", "s3", "postgres"],
    doc_md=__doc__,
)
def umbrella_sales():
    """Wire the branches; the join of the two ERPs stands apart, so that all others keep the default rule."""
    start, erp = EmptyOperator(task_id="start"), pick_erp_system()
    joined_erp = EmptyOperator(task_id="join_erp_branch", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    fetched = {kind: task(task_id=f"fetch_{kind}")(fetch)(kind) for kind in ("weather", "sales_old", "sales_new")}
    cleaned = {kind: task(task_id=f"clean_{kind}")(clean)(kind, kind.split("_")[0]) for kind in fetched}
    for kind, raw in fetched.items():
        raw >> cleaned[kind]

    start >> [fetched["weather"], erp]
    erp >> [fetched["sales_old"], fetched["sales_new"]]
    [cleaned["sales_old"], cleaned["sales_new"]] >> joined_erp
    model_id = train_model()
    [cleaned["weather"], joined_erp] >> join_datasets() >> model_id
    model_id >> LatestOnlyOperator(task_id="latest_only") >> deploy_model(model_id)


umbrella_sales()
