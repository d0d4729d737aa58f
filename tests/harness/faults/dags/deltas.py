"""A Delta table that a resident Spark writes: what is written comes from the JVM."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import Variable, dag, task


@dag(schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False)
def deltas():
    @task(retries=1)
    def append():
        from pyspark.sql import SparkSession

        rows = SparkSession.builder.getOrCreate().range(3).coalesce(1)
        rows.write.format("delta").mode("append").save(f"s3a://{Variable.get('bucket')}/table")

    append()


deltas()
