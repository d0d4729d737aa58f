"""`expect_objects`: which objects must stand below a prefix, and what is in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from harness.expect.check import check
from harness.services.s3 import S3

#: bytes; a longer object, and one that is no text, is compared and stored by its digest
_TEXT_LIMIT = 4096


def expect_objects(
    s3: S3,
    prefix: str,
    objects: Mapping[str, bytes | str | list[Any] | dict[str, Any] | None] | None = None,
    *,
    show: int = 5,
) -> None:
    """Assert that exactly these objects stand below a prefix, with this content.

    Args:
        s3: the store.
        prefix: `bucket/folder/`; the bucket by its logical name.
        objects: key without the prefix -> bytes, text, or JSON (a list or mapping: compared as JSON, so that neither
            the order of keys nor spaces matter); None allows any content. Without `objects`: compares with the file
            that `--update-expectations` wrote.
        show: how many differences of each kind are written out.

    Raises:
        AssertionError: an object is missing, unexpected or other than expected.
        ConfigError: the environment does not declare the bucket.
    """
    __tracebackhide__ = True
    found = _read(s3, prefix)
    wanted = None if objects is None else [{"key": key, "content": _told(value)} for key, value in objects.items()]
    shown = [{"key": key, "content": _content(body, (objects or {}).get(key, b""))} for key, body in found.items()]
    check(prefix, wanted, shown, columns=("key", "content"), key=("key",), unit="object", show=show)


def _read(s3: S3, prefix: str) -> dict[str, bytes]:
    bucket, _, front = prefix.partition("/")
    physical = s3.physical(bucket)
    pages = s3.client.get_paginator("list_objects_v2").paginate(Bucket=physical, Prefix=front)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {
        key.removeprefix(front): s3.client.get_object(Bucket=physical, Key=key)["Body"].read() for key in sorted(keys)
    }


def _content(body: bytes, as_expected: Any) -> Any:
    """Return what an object holds in the form in which it is expected, so that the two can be compared and told."""
    if as_expected is None:
        return "any content"
    if isinstance(as_expected, list | dict):
        try:
            return json.loads(body)
        except ValueError:
            pass  # it is no JSON: the difference is told on its text
    return _told(body)


def _told(value: Any) -> Any:
    if value is None:
        return "any content"
    if isinstance(value, list | dict):
        return value
    body = value.encode() if isinstance(value, str) else value
    if len(body) <= _TEXT_LIMIT:
        try:
            return body.decode()
        except UnicodeDecodeError:
            pass  # told by its digest
    return f"{len(body):,} bytes, sha256 {hashlib.sha256(body).hexdigest()}"
