"""The role `s3`: buckets of one namespace in an object store."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from harness.environment.spec import ConnectionSpec, S3Spec, ServiceSpec
from harness.errors import ConfigError, ServiceError, Unreachable
from harness.models.service import Connection, Slice
from harness.models.snapshot import Dataset
from harness.services.base import Service

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: seconds for a connection and for an answer; a store on the loopback interface that takes longer is not well
_CONNECT_WITHIN, _ANSWER_WITHIN = 5.0, 60.0

#: longest and shortest name of a bucket (S3 User Guide, "Bucket naming rules")
_LONGEST_NAME, _SHORTEST_NAME = 63, 3

#: what a namespace's buckets begin with, and those of `ping`
_RENAMED, _PING = re.compile(r"n\d+-"), "harness-ping-"


class S3(Service[S3Spec]):
    """An object store; `client` is a boto3 client, and takes physical bucket names."""

    role: ClassVar[str] = "s3"
    spec_type: ClassVar[type[ServiceSpec]] = S3Spec
    engines: ClassVar[Mapping[str, str]] = {
        "embedded": "harness.engines.embedded.s3:EmbeddedS3",
        "container": "harness.engines.container.s3:ContainerS3",
    }

    named: ClassVar[bool] = True

    _client: tuple[int, S3Client] | None = None

    @property
    def url(self) -> str:
        return f"{self.endpoint.options.get('scheme', 'http')}://{self.endpoint.address}"

    @property
    def region(self) -> str:
        return self.endpoint.options.get("region", "us-east-1")

    def whole(self) -> Slice:
        return Slice(names={"bucket": {name: name for name in self.spec.buckets}})

    def ping(self) -> None:
        """Put an object into a bucket of its own, get it back, and remove both; only list in a store of others."""
        client, bucket = self.client, f"{_PING}{secrets.token_hex(6)}"
        if self.endpoint.engine == "external":
            for declared in self.spec.buckets:
                client.list_objects_v2(Bucket=declared, MaxKeys=1)
            return
        sent = secrets.token_bytes(16)
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key="ping", Body=sent)
        received = client.get_object(Bucket=bucket, Key="ping")["Body"].read()
        remove_bucket(client, bucket)
        if received != sent:
            raise Unreachable(f"{self.url} gave back other bytes than were put", role=self.name)

    def prepare(self) -> None:
        self._create(self.slice)

    def open(self, prefix: str) -> Slice:
        names = {name: f"{prefix.lower()}-{name}" for name in self.spec.buckets}
        slice = Slice(prefix=prefix, names={"bucket": names})
        self._create(slice)
        return slice

    def close(self) -> None:
        """Empty and delete the slice's buckets, and those that its DAGs made under its prefix."""
        if self.slice.prefix:
            for bucket in self._buckets().values():
                remove_bucket(self.client, bucket)
        self.release()

    def empty(self) -> None:
        """Delete every bucket of the server."""
        for bucket in self._all():
            remove_bucket(self.client, bucket)

    def outside(self) -> dict[str, str]:
        """Return the buckets of no namespace, with how much is in each and when that was written last."""
        if self.slice.alone or not self.slice.prefix:
            return {}
        names = [name for name in self._all() if not _RENAMED.match(name) and not name.startswith(_PING)]
        return {f"bucket {name!r}": self._mark(name) for name in names}

    def _mark(self, bucket: str) -> str:
        found = sorted((one["Key"], one["ETag"], str(one["LastModified"])) for one in self._objects(bucket))
        return hashlib.blake2b(repr(found).encode(), digest_size=16).hexdigest()

    def _objects(self, bucket: str) -> Iterator[Any]:
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            yield from page.get("Contents", [])

    def _all(self) -> list[str]:
        return [bucket["Name"] for bucket in self.client.list_buckets()["Buckets"]]

    @property
    def client(self) -> S3Client:
        """Return the boto3 client; threads may share it, processes do not."""
        if self._client is None or self._client[0] != os.getpid():
            self._client = (os.getpid(), self._new_client())
        return self._client[1]

    def physical(self, bucket: str) -> str:
        """Return what a declared bucket is called in the store; raises ConfigError for one that is not declared."""
        try:
            return self.slice.physical("bucket", bucket)
        except KeyError:
            raise ConfigError(
                f"services.{self.name} declares no bucket {bucket!r}",
                hint=f"it declares: {', '.join(self.spec.buckets) or 'none'}",
            ) from None

    def connection(self, spec: ConnectionSpec) -> Connection:
        """Return an `aws` connection; a bucket that the environment names becomes S3Hook's default bucket."""
        extra: dict[str, Any] = {
            "endpoint_url": self.url,
            "region_name": self.region,
            "config_kwargs": {"s3": {"addressing_style": "path"}},
            **spec.extra,
        }
        if spec.bucket is not None:
            services = dict(extra.get("service_config", {}))
            services["s3"] = {**services.get("s3", {}), "bucket_name": self.physical(spec.bucket)}
            extra["service_config"] = services
        return Connection(conn_type="aws", login=self.endpoint.user, password=self.endpoint.password, extra=extra)

    def environ(self) -> dict[str, str]:
        """Return the variables of the AWS SDKs, and those that delta-rs needs besides."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.endpoint.user or "",
            "AWS_SECRET_ACCESS_KEY": self.endpoint.password or "",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            # an SDK that does not find its keys would else wait for a service of Amazon's network
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ALLOW_HTTP": "true",
        }

    def storage_options(self) -> dict[str, str]:
        """Return what delta-rs takes as `storage_options`; a commit is a conditional put, so that none is lost."""
        return {
            "aws_endpoint": self.url,
            "aws_access_key_id": self.endpoint.user or "",
            "aws_secret_access_key": self.endpoint.password or "",
            "aws_region": self.region,
            "aws_allow_http": "true",
            "aws_virtual_hosted_style_request": "false",
            "aws_conditional_put": "etag",
        }

    def s3a_options(self) -> dict[str, str]:
        """Return the `fs.s3a.*` settings for Hadoop; as Spark configuration each takes `spark.hadoop.` in front."""
        from harness.services.spark import s3a_settings

        return s3a_settings(self, everywhere=True)

    def snapshot(self, volatile: Mapping[str, Collection[str]] | None = None) -> list[Dataset]:
        """Return one dataset per object, and one per Delta table in place of its files.

        Args:
            volatile: `bucket/path` of a Delta table -> columns to leave out.
        """
        from harness.services._objects import read_bucket

        found: list[Dataset] = []
        for logical, physical in self._buckets().items():
            found += read_bucket(self, logical, physical, volatile or {})
        return found

    def attach_hint(self) -> str | None:
        bucket = next(iter(self._buckets().values()), "")
        keys = f"AWS_ACCESS_KEY_ID={self.endpoint.user} AWS_SECRET_ACCESS_KEY={self.endpoint.password}"
        return f"{keys} AWS_DEFAULT_REGION={self.region} aws --endpoint-url {self.url} s3 ls s3://{bucket}"

    def release(self) -> None:
        if self._client is not None and self._client[0] == os.getpid():
            self._client[1].close()
        self._client = None

    def _buckets(self) -> dict[str, str]:
        """Map logical to physical names: the declared buckets, and those with the slice's prefix or in its server."""
        found = dict(self.slice.names["bucket"])
        if self.slice.alone:
            found |= {name: name for name in self._all() if not name.startswith(_PING)}
        elif self.slice.prefix:
            front = f"{self.slice.prefix.lower()}-"
            found |= {name.removeprefix(front): name for name in self._all() if name.startswith(front)}
        return found

    def _create(self, slice: Slice) -> None:
        for name in slice.names["bucket"].values():
            if not _SHORTEST_NAME <= len(name) <= _LONGEST_NAME:
                raise ConfigError(
                    f"services.{self.name}.buckets: {name!r} has {len(name)} characters; S3 wants {_SHORTEST_NAME} to "
                    f"{_LONGEST_NAME}",
                    hint="a namespace puts up to 13 characters in front of the declared name",
                )
            with suppress(self.client.exceptions.BucketAlreadyOwnedByYou, self.client.exceptions.BucketAlreadyExists):
                self.client.create_bucket(Bucket=name)

    def _new_client(self) -> S3Client:
        import boto3
        from botocore.config import Config

        config = Config(
            s3={"addressing_style": "path"},
            connect_timeout=_CONNECT_WITHIN,
            read_timeout=_ANSWER_WITHIN,
            retries={"total_max_attempts": 2, "mode": "standard"},
            max_pool_connections=32,
            # a company's proxy does not know this machine's loopback interface
            proxies={},
        )
        session = boto3.session.Session(
            aws_access_key_id=self.endpoint.user,
            aws_secret_access_key=self.endpoint.password,
            region_name=self.region,
        )
        return session.client("s3", endpoint_url=self.url, config=config)


def remove_bucket(client: S3Client, bucket: str) -> None:
    """Delete a bucket with all objects, versions and unfinished uploads in it; idempotent.

    Raises:
        ServiceError: the store refuses to delete an object, for example one under a retention lock.
    """
    with suppress(client.exceptions.NoSuchBucket):
        for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
            client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        # the first page again and again: moto loses its place when the object that a page ended with is gone
        while batch := _first_versions(client, bucket):
            done = client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
            for refused in done.get("Errors", []):
                raise ServiceError(f"s3://{bucket}/{refused.get('Key')} cannot be deleted: {refused.get('Message')}")
        client.delete_bucket(Bucket=bucket)


def _first_versions(client: S3Client, bucket: str) -> list[Any]:
    page = client.list_object_versions(Bucket=bucket)
    found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
