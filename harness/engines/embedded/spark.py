"""One resident Spark driver with Delta, Kafka, S3A and JDBC, which many client processes attach to."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import ClassVar

from harness.engines.base import Engine, Place, Running
from harness.engines.embedded.spark_home import write_home
from harness.engines.embedded.spark_jvm import DRIVER_MEMORY, DRIVER_OPTIONS, driver_command
from harness.engines.process import ProcessRunning, ServerProcess, free_port, random_password
from harness.environment.spec import ServiceSpec, SparkSpec
from harness.models.service import Endpoint

_DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # 50 by default: the first read of a small table then costs seconds
    "spark.databricks.delta.snapshotPartitions": "2",
}

_BASE = {
    "spark.app.name": "harness",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    # a worker that lives on would run yesterday's version of the user's modules
    "spark.python.worker.reuse": "false",
    # the query of a client that died is blocked in that client: do not wait for it for ever
    "spark.sql.streaming.stopTimeout": "10s",
    # the JVM lives for many runs; nobody looks at its finished jobs
    "spark.ui.retainedJobs": "50",
    "spark.ui.retainedStages": "50",
    "spark.ui.retainedTasks": "1000",
    "spark.sql.ui.retainedExecutions": "20",
    "spark.sql.streaming.ui.retainedQueries": "10",
    DRIVER_MEMORY: "2g",
}


class EmbeddedSpark(Engine):
    """Starts the host process (spark_host), which starts and owns the JVM."""

    name: ClassVar[str] = "embedded"
    fidelity: ClassVar[tuple[str, ...]] = (
        "cluster: executors are threads of the driver; nothing is shipped to another machine",
        "static-conf: one JVM for all jobs; static settings come from the environment file only",
        "hive: the catalog is in memory; no Hive metastore",
        "jit: the first compiler only; slower than production on large data",
    )

    def start(self, spec: ServiceSpec, place: Place) -> Running:
        assert isinstance(spec, SparkSpec)
        running = start_host(spec, place, self.name)
        try:
            home = write_home(place.folder / "tmp" / "home")
        except BaseException:
            running.stop()
            raise
        options = {**running.endpoint.options, "home": str(home)}
        running.endpoint = running.endpoint.model_copy(update={"options": options})
        return running


def start_host(spec: SparkSpec, place: Place, engine: str, more: Mapping[str, str] | None = None) -> ProcessRunning:
    """Start the process that owns the driver, whatever its executors are.

    Args:
        spec: its `master` says where the executors are.
        place: of the service.
        engine: whose name the endpoint carries.
        more: settings that go before those of the environment.
    """
    warehouse, temporary = place.folder / "warehouse", place.folder / "tmp"
    for folder in (warehouse, temporary):
        folder.mkdir(exist_ok=True)
    conf = settings(spec, warehouse, temporary, more)
    driver = driver_command(place.cache, temporary, conf, place.report)
    port, token = free_port(), random_password()
    order = {
        "port": port,
        "token": token,
        "argv": driver.argv,
        "jars": driver.jars,
        "conf": {key: value for key, value in conf.items() if key not in (DRIVER_MEMORY, DRIVER_OPTIONS)},
        "folder": str(temporary),
        "cwd": str(place.project),
        "warehouse": str(warehouse),
    }
    file = place.folder / "host.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(order))
    process = ServerProcess.spawn(
        [sys.executable, "-m", "harness.engines.embedded.spark_host", file],
        folder=place.folder,
        log=place.folder / "spark.log",
        env=place.environ,
        # nothing in it outlives the session: an orderly end would only delete, file by file, what goes anyway
        stop_signal=signal.SIGKILL,
    )
    endpoint = Endpoint(
        role="spark",
        engine=engine,
        port=port,
        password=token,
        options={"warehouse": str(warehouse), "jars": ",".join(driver.jars), "master": spec.master},
    )
    return ProcessRunning(endpoint, process, remove=(temporary, warehouse))


def settings(
    spec: SparkSpec, warehouse: Path, temporary: Path, more: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return all Spark settings of the resident driver; what the environment says wins."""
    return {
        **_BASE,
        "spark.master": spec.master,
        "spark.sql.warehouse.dir": warehouse.as_uri(),
        "spark.local.dir": str(temporary),
        **_packages(spec.packages),
        **(more or {}),
        **spec.conf,
    }


def _packages(packages: Collection[str]) -> dict[str, str]:
    """Return what has to be set for a package; the jars of all are there, since one archive covers one class path."""
    return dict(_DELTA) if "delta" in packages else {}
