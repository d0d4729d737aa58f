"""Turns Airflow connections into what the clients of a task want, so that no DAG spells out an address or a secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def postgres_dsn(conn_id: str) -> str:
    """Return the libpq connection string of a Postgres connection; `schema` is Airflow's word for its database."""
    from airflow.sdk import Connection
    from psycopg.conninfo import make_conninfo

    found = Connection.get(conn_id)
    return make_conninfo(
        host=found.host, port=found.port, user=found.login, password=found.password, dbname=found.schema
    )


def kafka_config(conn_id: str) -> dict[str, Any]:
    """Return librdkafka's settings from a Kafka connection, which holds them as its extra."""
    from airflow.sdk import Connection

    return dict(Connection.get(conn_id).extra_dejson)


def s3_lines(conn_id: str, bucket: str, key: str) -> Iterator[bytes]:
    """Return the lines of an object as they arrive, so that its size does not matter.

    Raises:
        FileNotFoundError: there is no such object.
    """
    client = s3_client(conn_id)
    try:
        found = client.get_object(Bucket=bucket, Key=key)
    except client.exceptions.NoSuchKey as error:
        raise FileNotFoundError(f"s3://{bucket}/{key} is not there: the upstream has not delivered it") from error
    lines: Iterator[bytes] = found["Body"].iter_lines(chunk_size=1 << 20)
    return lines


def s3_client(conn_id: str) -> Any:
    """Return a boto3 client for an AWS connection; unset keys leave boto3's own chain of credentials at work."""
    import boto3

    options = _s3(conn_id)
    return boto3.client(
        "s3",
        endpoint_url=options.get("endpoint"),
        region_name=options["region"],
        aws_access_key_id=options.get("key"),
        aws_secret_access_key=options.get("secret"),
    )


def delta_storage(conn_id: str) -> dict[str, str]:
    """Return delta-rs storage options for an AWS connection; unset keys leave its own chain of credentials at work."""
    options = _s3(conn_id)
    names = {
        "endpoint": "AWS_ENDPOINT_URL",
        "region": "AWS_REGION",
        "key": "AWS_ACCESS_KEY_ID",
        "secret": "AWS_SECRET_ACCESS_KEY",
    }
    found = {names[name]: value for name, value in options.items()}
    return found | ({"AWS_ALLOW_HTTP": "true"} if options.get("endpoint", "").startswith("http://") else {})


def _s3(conn_id: str) -> dict[str, str]:
    from airflow.sdk import Connection

    found = Connection.get(conn_id)
    extra = found.extra_dejson
    options = {
        "endpoint": extra.get("endpoint_url"),
        "region": extra.get("region_name", "us-east-1"),
        "key": found.login,
        "secret": found.password,
    }
    return {name: value for name, value in options.items() if value}
