"""The role `spark`: sessions in one resident driver, one for each process and namespace."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar

from harness.engines.embedded.spark_wire import HostAddress, ask
from harness.environment.spec import ConnectionSpec, ServiceSpec, SparkSpec
from harness.errors import ConfigError, Unreachable
from harness.models.service import Connection, Slice
from harness.models.snapshot import Dataset
from harness.services.base import Service

#: where a process finds the driver that it belongs to; written by `Spark.environ`
VARIABLE = "HARNESS_SPARK"

#: what a namespace's database is called
_RENAMED = re.compile(r"n\d+")

#: S3A asks an absent store again for minutes (Hadoop, "S3A: retry and recovery")
_HURRIED = {
    "attempts.maximum": "2",
    "retry.limit": "2",
    "retry.interval": "200ms",
    "connection.establish.timeout": "5s",
}


class Spark(Service[SparkSpec]):
    """A resident driver; `client` is this process's SparkSession in it.

    A namespace is a database with a folder of its own, current in its sessions: `saveAsTable("orders")` and temporary
    views are its own, while `CREATE DATABASE silver` is seen by all who share the driver, as is everything static. One
    that names databases, or buckets by `s3a://`, in its code has a driver to itself.
    """

    role: ClassVar[str] = "spark"
    spec_type: ClassVar[type[ServiceSpec]] = SparkSpec
    engines: ClassVar[Mapping[str, str]] = {
        "embedded": "harness.engines.embedded.spark:EmbeddedSpark",
        "container": "harness.engines.container.spark:ContainerSpark",
    }

    linked: ClassVar[tuple[str, ...]] = ("s3",)
    named: ClassVar[bool] = True

    def whole(self) -> Slice:
        return Slice(names={"database": {"default": "default"}, "warehouse": {"default": self._warehouse()}})

    def ping(self) -> None:
        """Count a Delta table, in the host process."""
        rows = ask(self._address, "health", timeout=180.0)["rows"]
        if rows != 1:
            raise Unreachable(f"a table of 1 row was counted as {rows}", role=self.name)

    def wire(self, peers: Mapping[str, Service[Any]]) -> None:
        """Tell the driver where the object stores are; further ones by bucket (`fs.s3a.bucket.NAME.*`)."""
        stores = [peer for _, peer in sorted(peers.items()) if peer.role == "s3"]
        conf: dict[str, str] = {}
        for number, store in enumerate(stores):
            conf |= s3a_settings(store, everywhere=number == 0)
        if conf:
            ask(self._address, "hadoop", conf=conf)

    def reach(self, store: Service[Any], *, hurried: bool) -> None:
        """Let the driver reach a store's buckets at this address from now on, and close what it has open there.

        Args:
            store: an object store of this namespace; its buckets under their physical names.
            hurried: give up after seconds instead of minutes when it does not answer.
        """
        buckets = list(store.slice.names["bucket"].values())
        patience = {f"fs.s3a.bucket.{bucket}.{key}": value for bucket in buckets for key, value in _HURRIED.items()}
        url = f"{store.endpoint.options.get('scheme', 'http')}://{store.endpoint.address}"
        conf = {f"fs.s3a.bucket.{bucket}.endpoint": url for bucket in buckets}
        if hurried:
            ask(self._address, "hadoop", conf=conf | patience, close=buckets)
        else:
            ask(self._address, "hadoop", conf=conf, unset=list(patience), close=buckets)

    def open(self, prefix: str) -> Slice:
        warehouse = ask(self._address, "create", database=prefix)["warehouse"]
        return Slice(prefix=prefix, names={"database": {"default": prefix}, "warehouse": {"default": warehouse}})

    def close(self) -> None:
        if self.slice.prefix:
            self.release()
            ask(self._address, "drop", database=self.slice.prefix)

    def empty(self) -> None:
        """Drop all databases and views, and forget what was known of tables and file systems by their paths."""
        ask(self._address, "empty")

    def outside(self) -> dict[str, str]:
        """Return the databases of no namespace; the catalog is one for all who share the driver."""
        if self.slice.alone or not self.slice.prefix:
            return {}
        names = ask(self._address, "databases")["databases"]
        return {f"database {name!r}": "" for name in names if name != "default" and not _RENAMED.fullmatch(name)}

    @property
    def client(self) -> Any:
        """Return this process's SparkSession, attached at first use, and again after a fork or a `stop()`.

        It is also what a plain `SparkSession.builder.getOrCreate()` returns from then on in this process.
        """
        from harness.services.spark_attached import attached_session

        return attached_session(self._address)

    def connection(self, spec: ConnectionSpec) -> Connection:
        """Return the connection for the apache-spark provider; `@task.pyspark` attaches, as `spark-submit` may do."""
        return Connection(
            conn_type="spark",
            host=self.endpoint.options.get("master", self.spec.master),
            extra={"deploy-mode": "client", **spec.extra},
        )

    def environ(self) -> dict[str, str]:
        """Return where the driver is, and which `spark-submit` is found: ours (embedded) or Spark's (a cluster)."""
        environ = {VARIABLE: str(self._address)}
        home, conf = (self.endpoint.options.get(option) for option in ("home", "conf"))
        if home:
            programs, path = str(Path(home, "bin")), os.environ.get("PATH", os.defpath)
            # a task that opens services again has it already
            path = path if path.startswith(programs) else f"{programs}{os.pathsep}{path}"
            environ |= {"SPARK_HOME": home, "PATH": path}
        if conf:
            # a spark-submit of the user's own finds there what the cluster asks of a driver
            environ["SPARK_CONF_DIR"] = conf
        return environ

    def snapshot(self, volatile: Mapping[str, Collection[str]] | None = None) -> list[Dataset]:
        """Return one dataset for each table of the catalogue that lies in the driver's own warehouse.

        Args:
            volatile: `database.table` -> columns to leave out.
        """
        from harness.services._catalog import read_catalog

        databases = None if self.slice.alone else list(self.slice.names["database"].values())
        return read_catalog(self, ask(self._address, "tables", databases=databases)["tables"], volatile or {})

    def export(self, database: str, table: str) -> str:
        """Have the driver write a table's content as Parquet, and return in which folder of this host."""
        return str(ask(self._address, "export", database=database, table=table)["folder"])

    def attach_hint(self) -> str | None:
        return (
            f'{VARIABLE}="{self._address}" python -ic "from harness.services.spark import session; spark = session()"'
        )

    def release(self) -> None:
        import sys

        # nothing was attached by a process that has not even imported the module
        if "harness.services.spark_attached" in sys.modules:
            from harness.services.spark_attached import release_session

            release_session(self._address)

    @property
    def _address(self) -> HostAddress:
        token = self.endpoint.password or ""
        database = self.slice.names["database"]["default"]
        return HostAddress(self.endpoint.host, self.endpoint.port, token, database)

    def _warehouse(self) -> str:
        return str(Path(self.endpoint.options.get("warehouse", "")))


def session() -> Any:
    """Return this process's SparkSession in the driver that HARNESS_SPARK names.

    Raises:
        ConfigError: the variable is not set: the process was not started by the harness.
    """
    address = os.environ.get(VARIABLE)
    if not address:
        raise ConfigError(f"{VARIABLE} is not set", hint="run it with `harness exec ENV -- ...`")
    from harness.services.spark_attached import attached_session

    return attached_session(HostAddress.parse(address))


def install() -> bool:
    """Make a plain `SparkSession.builder.getOrCreate()` attach, if HARNESS_SPARK is set; tell whether it is.

    Call it in a process that runs the user's tasks, before their code. It imports pyspark.
    """
    if not os.environ.get(VARIABLE):
        return False
    from harness.services.spark_attached import install_hook

    install_hook(session)
    return True


def s3a_settings(store: Service[Any], *, everywhere: bool) -> dict[str, str]:
    """Return the Hadoop settings by which S3A reaches an object store (Hadoop, "S3A: configuration").

    Args:
        store: a service of the role s3.
        everywhere: for all buckets; otherwise for the buckets that the environment declares for it.
    """
    at = store.endpoint
    own = {
        "endpoint": f"{at.options.get('scheme', 'http')}://{at.address}",
        "endpoint.region": at.options.get("region", "us-east-1"),
        "path.style.access": "true",
        "access.key": at.user or "",
        "secret.key": at.password or "",
        "connection.ssl.enabled": str(at.options.get("scheme") == "https").lower(),
        # one machine, small files: S3A's defaults are for hundreds of threads
        "connection.maximum": "64",
        "threads.max": "16",
    }
    prefixes = ["fs.s3a."] if everywhere else [f"fs.s3a.bucket.{bucket}." for bucket in store.spec.buckets]
    return {f"{prefix}{key}": value for prefix in prefixes for key, value in own.items()}
