from __future__ import annotations

import hashlib
import io
import random
from typing import Any

import pytest

from harness.environment.spec import ConnectionSpec
from harness.services.registry import bind
from harness.state import diff


def put(service: Any, key: str, body: bytes, bucket: str = "lake") -> None:
    service.client.put_object(Bucket=service.physical(bucket), Key=key, Body=body)


def get(service: Any, key: str, bucket: str = "lake") -> bytes:
    return bytes(service.client.get_object(Bucket=service.physical(bucket), Key=key)["Body"].read())


def test_the_client_reads_what_it_wrote(s3: Any) -> None:
    put(s3, "a/b c+ü.txt", b"content")
    assert get(s3, "a/b c+ü.txt") == b"content"


def test_airflows_hook_works_through_the_connection(s3: Any, airflow_connection: Any) -> None:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    hook = S3Hook(airflow_connection(s3.connection(ConnectionSpec(service="s3", bucket="landing"))))
    hook.load_string("from a hook", "note")
    assert get(s3, "note", "landing") == b"from a hook"


def test_an_object_of_50_mb_comes_back_whole(s3: Any) -> None:
    body = random.Random(1).randbytes(50_000_000)
    # in parts and in parallel, as boto3 sends what is large
    s3.client.upload_fileobj(io.BytesIO(body), s3.physical("lake"), "large")
    received = io.BytesIO()
    s3.client.download_fileobj(s3.physical("lake"), "large", received)
    assert hashlib.sha256(received.getvalue()).digest() == hashlib.sha256(body).digest()


def test_more_objects_than_one_page_are_listed(s3: Any) -> None:
    for number in range(25):
        put(s3, f"many/{number:02}", b"")
    page = {"Bucket": s3.physical("lake"), "Prefix": "many/", "PaginationConfig": {"PageSize": 10}}
    pages = list(s3.client.get_paginator("list_objects_v2").paginate(**page))
    assert [len(page["Contents"]) for page in pages] == [10, 10, 5]
    assert [item["Key"] for page in pages for item in page["Contents"]] == [f"many/{n:02}" for n in range(25)]


def test_an_object_that_must_not_be_there_is_not_overwritten(s3: Any) -> None:
    put(s3, "commit", b"first")
    with pytest.raises(s3.client.exceptions.ClientError, match="PreconditionFailed"):
        s3.client.put_object(Bucket=s3.physical("lake"), Key="commit", Body=b"second", IfNoneMatch="*")
    assert get(s3, "commit") == b"first"


def test_namespaces_do_not_see_each_other(opened: Any) -> None:
    mine, other = opened("s3"), opened("s3")
    put(mine, "note", b"mine")
    assert other.snapshot() == []
    assert [dataset.name for dataset in mine.snapshot()] == ["lake/note"]


def test_closing_a_namespace_removes_its_buckets_and_no_others(opened: Any) -> None:
    mine, other = opened("s3"), opened("s3")
    put(mine, "note", b"mine")
    mine.close()
    left = {bucket["Name"] for bucket in other.client.list_buckets()["Buckets"]}
    assert not left & set(mine.slice.names["bucket"].values())
    assert set(other.slice.names["bucket"].values()) <= left


def test_equal_objects_make_equal_snapshots_and_a_changed_one_shows(opened: Any) -> None:
    one, two, three = opened("s3"), opened("s3"), opened("s3")
    put(one, "note", b"same")
    put(two, "note", b"same")
    put(three, "note", b"else")
    assert diff(one.snapshot(), two.snapshot()) == []
    assert [change.name for change in diff(one.snapshot(), three.snapshot())] == ["lake/note"]


def test_delta_rs_writes_and_reads_a_table(s3: Any) -> None:
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    where = f"s3://{s3.physical('lake')}/table"
    for batch in ([1, 2], [3]):
        write_deltalake(where, pa.table({"id": batch}), mode="append", storage_options=s3.storage_options())
    table = DeltaTable(where, storage_options=s3.storage_options())
    assert table.version() == 1
    assert sorted(table.to_pyarrow_table()["id"].to_pylist()) == [1, 2, 3]


def test_a_wrong_key_is_refused(s3: Any) -> None:
    wrong = s3.endpoint.model_copy(update={"user": "NOBODY" * 3})
    with pytest.raises(Exception, match="InvalidAccessKeyId"):
        bind("s3", "s3", s3.spec, wrong, s3.slice).ping()


def test_a_wrong_secret_is_refused(s3: Any, requires: Any) -> None:
    requires(s3, "signatures")
    wrong = s3.endpoint.model_copy(update={"password": "wrong" * 5})
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        bind("s3", "s3", s3.spec, wrong, s3.slice).ping()
