from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.operators.s3 import S3CopyObjectOperator
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.sdk.exceptions import AirflowSensorTimeout
from botocore.exceptions import ClientError

from harness.unit import run_operator


@pytest.fixture
def lake(mock_aws: Any) -> Any:
    """A client of an S3 with one bucket in memory."""
    client = mock_aws("s3")
    client.create_bucket(Bucket="lake")
    return client


def test_hook_writes_what_a_client_reads(lake):
    S3Hook().load_string("a,b\n1,2\n", key="landing/orders.csv", bucket_name="lake")
    assert lake.get_object(Bucket="lake", Key="landing/orders.csv")["Body"].read() == b"a,b\n1,2\n"


def test_hook_does_not_overwrite_unless_it_is_told_to(lake):
    S3Hook().load_string("old", key="orders.csv", bucket_name="lake")
    with pytest.raises(ValueError, match="already exists"):
        S3Hook().load_string("new", key="orders.csv", bucket_name="lake")


def test_bucket_that_is_not_there_is_an_error_of_the_store(lake):
    with pytest.raises(ClientError, match="NoSuchBucket"):
        S3Hook().load_string("x", key="orders.csv", bucket_name="lak")


def test_copy_takes_its_key_from_the_data_interval(lake, task_context):
    lake.put_object(Bucket="lake", Key="landing/2026-01-02.csv", Body=b"1")
    operator = S3CopyObjectOperator(
        task_id="archive",
        source_bucket_name="lake",
        source_bucket_key="landing/{{ data_interval_start | ds }}.csv",
        dest_bucket_name="lake",
        dest_bucket_key="archive/{{ data_interval_start | ds }}.csv",
    )
    run_operator(operator, task_context(operator, "2026-01-02"))
    assert [one["Key"] for one in lake.list_objects_v2(Bucket="lake", Prefix="archive/")["Contents"]] == [
        "archive/2026-01-02.csv"
    ]


def test_sensor_gives_up_when_the_object_never_comes(lake, task_context):
    sensor = S3KeySensor(task_id="wait", bucket_name="lake", bucket_key="late.csv", poke_interval=60, timeout=3600)
    with pytest.raises(AirflowSensorTimeout):
        run_operator(sensor, task_context(sensor))


def test_mocked_hook_refuses_an_argument_that_s3hook_does_not_have(mock_hook):
    mock_hook(S3Hook, load_string=None)
    with pytest.raises(TypeError, match="bucket"):
        S3Hook().load_string("x", key="orders.csv", bucket="lake")
