"""Every Monday: last week's revenue as one object for finance."""

import json
from datetime import datetime, timedelta

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import Variable, dag, task

QUERY = "SELECT region, sum(amount) FROM raw.orders WHERE day >= %s AND day < %s GROUP BY region ORDER BY region"


@dag(schedule="0 7 * * MON", start_date=datetime(2026, 1, 1), catchup=False, tags=["finance"])
def weekly_report():
    @task
    def revenue(data_interval_end=None):
        hook = PostgresHook(postgres_conn_id="dwh")
        rows = hook.get_records(QUERY, parameters=(data_interval_end - timedelta(days=7), data_interval_end))
        return {region: float(amount) for region, amount in rows}

    @task
    def publish(totals, ds=None):
        currency = Variable.get("report_currency", default="EUR")
        options = Variable.get("report_options", default={"indent": 2}, deserialize_json=True)
        text = json.dumps({"currency": currency, "totals": totals}, **options)
        key = f"s3://finance-reports/weekly/{ds}.json"
        S3Hook("minio_landing").load_string(text, key, replace=True)

    publish(revenue())


weekly_report()
