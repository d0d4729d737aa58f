"""A bucket whose name is put together when the task runs, and which the task makes itself."""

from datetime import datetime

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import DAG, task

with DAG("to_a_name_that_is_made_up", schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False):

    @task
    def put_elsewhere():
        bucket = "-".join(["some", "where"])
        client = S3Hook("aws_default").get_conn()
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key="left.txt", Body=b"left")

    put_elsewhere()
