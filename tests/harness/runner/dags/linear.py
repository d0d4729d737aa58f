"""extract >> transform >> load: three Python tasks that hand a number on."""

from datetime import datetime

from airflow.sdk import dag, task


@dag(schedule="@daily", start_date=datetime(2025, 1, 1), catchup=False)
def linear():
    @task
    def extract(ds=None):
        return {"day": ds, "rows": 3}

    @task
    def transform(found):
        return found["rows"] * 2

    @task
    def load(rows):
        print(f"loaded {rows}")  # noqa: T201 - its log is asserted
        return rows

    load(transform(extract()))


linear()
