"""Fingerprints of a bucket: its objects by their bytes, and its Delta tables by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from harness.models.snapshot import Dataset

if TYPE_CHECKING:
    from harness.services.s3 import S3

#: Objects up to this size are read, in bytes. The digest of a larger one is its ETag and size, which also depend on
#: the part size of its upload.
READ_LIMIT = 256 * 1024 * 1024

_LOG = "_delta_log/"
_READERS = 8


def read_bucket(store: S3, logical: str, physical: str, volatile: Mapping[str, Collection[str]]) -> list[Dataset]:
    """Return the datasets of one bucket, in the order of their keys.

    Args:
        store: where the bucket is.
        logical: its name in the environment.
        physical: its name in the store.
        volatile: `bucket/path` of a Delta table -> columns that are left out of the fingerprint.
    """
    from harness.services._delta import read_delta

    listed = list(_listing(store, physical))
    roots = delta_roots(entry["Key"] for entry in listed)
    objects = [entry for entry in listed if not any(entry["Key"].startswith(root) for root in roots)]

    def read(entry: dict[str, Any]) -> Dataset:
        digest = _digest(store, physical, entry)
        name = f"{logical}/{entry['Key']}"
        return Dataset(service=store.name, name=name, kind="object", rows=entry["Size"], digests={digest: 1})

    with ThreadPoolExecutor(max_workers=_READERS) as pool:
        found = list(pool.map(read, objects))
    for root in roots:
        name = f"{logical}/{root}".rstrip("/")
        found.append(read_delta(store, name, f"s3://{physical}/{root}", volatile.get(name, ())))
    return sorted(found, key=lambda dataset: dataset.name)


def delta_roots(keys: Collection[str] | Iterator[str]) -> list[str]:
    """Return the folders (`gold/revenue/`, or `` for the bucket itself) that hold a `_delta_log` with a commit."""
    found = set()
    for key in keys:
        front, log, commit = key.rpartition(_LOG)
        if log and (not front or front.endswith("/")) and commit.endswith(".json") and "/" not in commit:
            found.add(front)
    # a table inside another one's folder is part of that folder's files, not a table of its own
    return sorted(root for root in found if not any(root != other and root.startswith(other) for other in found))


def _listing(store: S3, bucket: str) -> Iterator[dict[str, Any]]:
    for page in store.client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        yield from page.get("Contents", [])  # type: ignore[misc]


def _digest(store: S3, bucket: str, entry: dict[str, Any]) -> str:
    """Return the MD5 of the bytes: the ETag where it is that, since reading costs a request for each object.

    An ETag is the MD5 unless the object came in parts ("-" in it) or is encrypted with keys of its own, as stores that
    are not ours may do (S3 API, "Object").
    """
    etag = str(entry["ETag"]).strip('"')
    if "-" not in etag and store.endpoint.engine != "external":
        return etag
    if entry["Size"] > READ_LIMIT:
        return f"{etag}:{entry['Size']}"
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in store.client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].iter_chunks(1024 * 1024):
        digest.update(chunk)
    return digest.hexdigest()
