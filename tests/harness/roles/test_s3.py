from __future__ import annotations

import hashlib
import io
import random
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from harness.environment.service import S3Spec
from harness.environment.spec import ConnectionSpec
from harness.errors import ConfigError, ServiceError
from harness.services._objects import delta_roots


@pytest.fixture(scope="module", params=["moto", "minio"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def put(service: Any, bucket: str, key: str, body: bytes) -> None:
    service.client.put_object(Bucket=service.physical(bucket), Key=key, Body=body)


REVENUE = pa.table(
    {
        "day": pa.array([datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), None]),
        "revenue": pa.array([Decimal("12.10"), Decimal("7.00"), None], pa.decimal128(10, 2)),
        "lines": pa.array([[{"sku": "a", "n": 1}], [], None]),
        "raw": pa.array([b"\xff", b"", None]),
        "share": pa.array([0.1, float("nan"), None]),
    }
)


@pytest.fixture
def revenue(namespace: Any) -> str:
    """The address of a Delta table of three rows in the namespace."""
    address = f"s3://{namespace.physical('lake')}/gold/revenue"
    write_deltalake(address, REVENUE, storage_options=namespace.storage_options())
    return address


def test_airflows_hook_writes_and_reads_objects(namespace: Any, airflow_connection: Any) -> None:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    conn_id = airflow_connection(namespace.connection(ConnectionSpec(service="s3", bucket="lake")))
    hook = S3Hook(aws_conn_id=conn_id)
    hook.load_string("twelve", "a/b.txt")  # no bucket is named: the connection's is taken
    assert hook.read_key("a/b.txt") == "twelve"
    assert namespace.client.get_object(Bucket="ns1-lake", Key="a/b.txt")["Body"].read() == b"twelve"


def test_extra_of_the_environment_is_kept(namespace: Any) -> None:
    spec = ConnectionSpec(
        service="s3", bucket="lake", extra={"service_config": {"s3": {"x": 1}, "sns": {}}, "region_name": "eu-west-1"}
    )
    extra = namespace.connection(spec).extra
    assert extra["service_config"] == {"s3": {"x": 1, "bucket_name": "ns1-lake"}, "sns": {}}
    assert extra["region_name"] == "eu-west-1"
    assert extra["endpoint_url"] == namespace.url


def test_a_bucket_that_is_not_declared_is_a_mistake_with_the_names_there_are(namespace: Any) -> None:
    with pytest.raises(ConfigError, match="landing, lake"):
        namespace.connection(ConnectionSpec(service="s3", bucket="lace"))


def test_the_sdks_variables_lead_to_the_store(namespace: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    for name, value in namespace.environ().items():
        monkeypatch.setenv(name, value)
    names = {bucket["Name"] for bucket in boto3.session.Session().client("s3").list_buckets()["Buckets"]}
    assert {"ns1-landing", "ns1-lake"} <= names


def test_requests_without_a_key_are_refused(namespace: Any) -> None:
    put(namespace, "lake", "secret", b"salary")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{namespace.url}/ns1-lake/secret", timeout=60)


def test_a_presigned_address_is_let_in(namespace: Any) -> None:
    put(namespace, "lake", "shared", b"report")
    address = namespace.client.generate_presigned_url("get_object", {"Bucket": "ns1-lake", "Key": "shared"})
    assert urllib.request.urlopen(address, timeout=60).read() == b"report"


def test_namespaces_do_not_see_each_other(running: Any, namespace: Any, holding: Any) -> None:
    put(namespace, "lake", "mine", b"1")
    other = running.again("ns2")
    assert holding(other) == {}
    assert list(holding(namespace)) == ["lake/mine"]
    other.close()


def test_closing_removes_versions_unfinished_uploads_and_buckets_that_a_dag_made(running: Any) -> None:
    service = running.again("gone")
    client = service.client
    client.put_bucket_versioning(Bucket="gone-lake", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        put(service, "lake", "twice", body)
    client.delete_object(Bucket="gone-lake", Key="twice")
    client.create_multipart_upload(Bucket="gone-landing", Key="never-finished")
    client.create_bucket(Bucket="gone-extra")
    client.put_object(Bucket="gone-extra", Key="x", Body=b"x")
    service.close()
    service.close()
    assert [one["Name"] for one in running.service.client.list_buckets()["Buckets"] if "gone" in one["Name"]] == []


def test_fifty_megabytes_go_in_and_come_back(namespace: Any, holding: Any) -> None:
    body = random.Random(7).randbytes(50_000_000)
    namespace.client.upload_fileobj(io.BytesIO(body), "ns1-landing", "large")  # in parts, at the same time
    received = namespace.client.get_object(Bucket="ns1-landing", Key="large")["Body"].read()
    assert hashlib.sha256(received).digest() == hashlib.sha256(body).digest()
    assert holding(namespace)["landing/large"].rows == 50_000_000


def test_an_object_in_parts_has_the_digest_of_the_same_bytes_in_one(namespace: Any, holding: Any) -> None:
    body = b"z" * 20_000_000
    namespace.client.upload_fileobj(io.BytesIO(body), "ns1-lake", "in-parts")
    put(namespace, "lake", "in-one", body)
    assert holding(namespace)["lake/in-parts"].digests == holding(namespace)["lake/in-one"].digests


def test_writing_the_same_bytes_again_changes_nothing(namespace: Any, changes: Any) -> None:
    put(namespace, "lake", "a", b"1")
    with changes(namespace) as found:
        put(namespace, "lake", "a", b"1")
    assert found == []


def test_new_changed_and_deleted_objects_are_seen(namespace: Any, changes: Any) -> None:
    for key in ("stays", "changes", "goes"):
        put(namespace, "lake", key, b"1")
    with changes(namespace) as found:
        put(namespace, "lake", "changes", b"2")
        put(namespace, "lake", "comes", b"1")
        namespace.client.delete_object(Bucket="ns1-lake", Key="goes")
    assert {one.name: one.change for one in found} == {
        "lake/changes": "changed",
        "lake/comes": "added",
        "lake/goes": "removed",
    }


@pytest.mark.slow
def test_more_than_one_page_of_objects_is_read_and_removed(running: Any, holding: Any) -> None:
    service = running.again("pages")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(service, "lake", f"{number:04}", b""), range(1001)))
    assert len(holding(service)) == 1001
    service.close()


def test_a_delta_table_is_one_dataset(namespace: Any, revenue: str, holding: Any) -> None:
    put(namespace, "lake", "gold/readme", b"")
    found = holding(namespace)
    assert sorted(found) == ["lake/gold/readme", "lake/gold/revenue"]
    table = found["lake/gold/revenue"]
    assert (table.kind, table.rows, sum(table.digests.values())) == ("delta", 3, 3)
    assert {row["revenue"] for row in table.sample.values()} == {"12.10", "7.00", None}


def test_rewriting_a_delta_tables_files_changes_nothing(namespace: Any, revenue: str, changes: Any) -> None:
    options = namespace.storage_options()
    with changes(namespace) as found:
        table = DeltaTable(revenue, storage_options=options)
        backwards = table.to_pyarrow_table().take([2, 1, 0]).select(list(reversed(REVENUE.column_names)))
        write_deltalake(revenue, backwards, mode="overwrite", schema_mode="overwrite", storage_options=options)
        DeltaTable(revenue, storage_options=options).optimize.compact()
    assert found == []


@pytest.mark.parametrize("column", REVENUE.column_names)
def test_a_change_of_any_kind_of_value_in_a_delta_table_is_seen(
    column: str, namespace: Any, revenue: str, changes: Any
) -> None:
    values = REVENUE.column(column)
    swapped = pa.chunked_array([values.slice(1, 1).chunk(0), values.slice(0, 1).chunk(0), values.slice(2, 1).chunk(0)])
    other = REVENUE.set_column(REVENUE.column_names.index(column), column, swapped)
    with changes(namespace) as found:
        write_deltalake(revenue, other, mode="overwrite", storage_options=namespace.storage_options())
    assert [(one.name, one.added, one.removed) for one in found] == [("lake/gold/revenue", 2, 2)]


def test_a_volatile_column_of_a_delta_table_is_left_out(namespace: Any, revenue: str, changes: Any) -> None:
    other = REVENUE.set_column(4, "share", pa.array([1.0, 2.0, 3.0]))
    with changes(namespace, {"lake/gold/revenue": ["share"]}) as found:
        write_deltalake(revenue, other, mode="overwrite", storage_options=namespace.storage_options())
    assert found == []


def test_a_delta_table_whose_files_are_gone_is_named(namespace: Any, revenue: str) -> None:
    for address in DeltaTable(revenue, storage_options=namespace.storage_options()).file_uris():
        namespace.client.delete_object(Bucket="ns1-lake", Key=address.split("/", 3)[3])
    with pytest.raises(ServiceError, match="lake/gold/revenue cannot be read"):
        namespace.snapshot()


def test_concurrent_commits_to_a_delta_table_lose_nothing(namespace: Any, revenue: str, holding: Any) -> None:
    row = REVENUE.slice(0, 1)
    options = namespace.storage_options()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: write_deltalake(revenue, row, mode="append", storage_options=options), range(8)))
    assert holding(namespace)["lake/gold/revenue"].rows == 3 + 8


@pytest.mark.parametrize(
    ("keys", "roots"),
    [
        (["t/_delta_log/0.json", "t/part-0"], ["t/"]),
        (["_delta_log/0.json"], [""]),
        (["t/_delta_log/readme.txt"], []),
        (["t/_delta_log/sub/0.json"], []),
        (["not_delta_log/0.json"], []),
        (["a/_delta_log/0.json", "a/b/_delta_log/0.json", "ab/_delta_log/0.json"], ["a/", "ab/"]),
    ],
    ids=["a table", "the bucket itself", "no commit", "a folder in the log", "another name", "a table in a table"],
)
def test_delta_tables_are_known_by_their_log(keys: list[str], roots: list[str]) -> None:
    assert delta_roots(keys) == roots


def test_minio_that_is_asked_for_and_missing_is_told_with_a_hint(launch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.engines.embedded.s3.shutil.which", lambda name: None)
    with pytest.raises(ServiceError) as told:
        launch("moto", S3Spec(server="minio")).__enter__()
    assert "minio" in told.value.message
    assert "server: auto" in str(told.value.hint)
