"""AWS in this process, by moto: hooks and boto3 clients work, and nothing leaves the machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

from harness.unit.environ import connection_environ

_OTHERS = ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE")


@contextmanager
def mock_aws(conn_id: str = "aws_default", region: str = "us-east-1") -> Iterator[Callable[[str], Any]]:
    """Emulate AWS until the end of the block; yield a function that makes clients: `client("s3")`.

    Args:
        conn_id: the Airflow connection that is defined for hooks.
        region: of the connection and the clients; buckets of another one than us-east-1 want a location.
    """
    import boto3
    import moto

    # credentials that no one has: should a call escape, it opens nothing
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": region}
    connection = connection_environ(conn_id, conn_type="aws", extra={"region_name": region})
    with mock.patch.dict(os.environ, keys | connection):
        for name in _OTHERS:
            os.environ.pop(name, None)
        # the stubs want the services' names as literals
        make: Any = boto3.client
        with moto.mock_aws(), mock.patch("botocore.session.create_loader", _loader):
            yield lambda service: make(service, region_name=region)


@cache
def _loader(search_path_string: str | None = None) -> Any:
    """Return one loader for all sessions; each would read the description of S3 anew, slower than a test is."""
    import botocore.loaders

    return botocore.loaders.create_loader(search_path_string)
