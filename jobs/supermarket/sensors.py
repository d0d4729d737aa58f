"""Waiting for a supermarket's delivery: it is there when the marker and at least one data file are."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import BaseSensorOperator

from jobs.supermarket.contract import MARKER


class DeliverySensor(BaseSensorOperator):
    """Waits until a delivery is complete.

    Args:
        bucket: of the shared storage.
        prefix: the delivery's folder, with its slash at the end.
        aws_conn_id: connection to the storage.
    """

    template_fields = ("bucket", "prefix")

    def __init__(self, *, bucket: str, prefix: str, aws_conn_id: str, **options: Any) -> None:
        super().__init__(**options)
        self.bucket = bucket
        self.prefix = prefix
        self.aws_conn_id = aws_conn_id

    def poke(self, context: Any) -> bool:
        """Look once; whatever the storage answers but a list of keys is an error, and no reason to go on waiting."""
        keys = S3Hook(self.aws_conn_id).list_keys(bucket_name=self.bucket, prefix=self.prefix)
        names = [key.removeprefix(self.prefix) for key in keys]
        self.log.info("s3://%s/%s holds %s", self.bucket, self.prefix, ", ".join(names) or "nothing")
        return is_complete(names)


def is_complete(names: Iterable[str]) -> bool:
    """Tell whether these files are a delivery: the marker, and data (`data.csv`, or `data-01.csv` and so on)."""
    held = list(names)
    return MARKER in held and any(fnmatch(name, "data*.csv") for name in held)
