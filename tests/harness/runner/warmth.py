"""What a test has a child of the warm fork server do."""

from __future__ import annotations

import inspect
import sys
from typing import Any
from unittest import mock


def look(payload: dict[str, Any], emit: Any) -> dict[str, Any]:
    """Return which modules are there, how many files a client of S3 reads, and how many modules `inspect` looks up."""
    import boto3
    from botocore.loaders import JSONFileLoader

    with mock.patch.object(JSONFileLoader, "load_file", autospec=True, side_effect=JSONFileLoader.load_file) as read:
        boto3.session.Session().client("s3", region_name="eu-west-1")
    known = len(inspect.modulesbyfile)
    inspect.stack()
    return {"modules": list(sys.modules), "read": read.call_count, "looked_up": len(inspect.modulesbyfile) - known}
