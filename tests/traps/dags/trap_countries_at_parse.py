"""Sales of a day by country, for the countries of the table of shops: a task for each."""

from datetime import timedelta

import pendulum
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, CronDataIntervalTimetable, task

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


COUNTRIES = [row[0] for row in PostgresHook("warehouse").get_records("SELECT 'NL' UNION SELECT 'BE' ORDER BY 1")]


@task
def report(country: str, ds: str) -> None:
    """Replace the day's line of a country."""
    line = [ds, country]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM country_sales WHERE day = %s AND country = %s", line)
        cursor.execute(
            "INSERT INTO country_sales SELECT day, country, sum(cents) FROM sales "
            "WHERE day = %s AND country = %s GROUP BY day, country",
            line,
        )


with DAG(
    "trap_countries_at_parse",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    for country in COUNTRIES:
        report.override(task_id=f"report_{country}")(country)
