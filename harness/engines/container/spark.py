"""A Spark standalone cluster in containers; the resident driver stays a process of this host.

Executors must find the driver, the other services and the warehouse under the addresses and paths that the driver
uses. So their containers share this host's network, bound to 127.0.0.1, and mount the same folders at the same paths.
"""

from __future__ import annotations

import os
import socket
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.engines.base import Engine, Place, Running
from harness.engines.container.base import ContainerRunning, Plan, start_container
from harness.engines.container.docker_engine import connect
from harness.engines.embedded.spark import start_host
from harness.engines.images import image_for, pyspark_version
from harness.engines.jars import fingerprint, jars
from harness.engines.jvm import QUICK
from harness.engines.process import ProcessRunning, free_ports, random_password
from harness.environment.spec import ServiceSpec, SparkSpec
from harness.errors import ConfigError, Crashed, ServiceError, StartTimeout
from harness.models.service import Endpoint

if TYPE_CHECKING:
    import docker

#: where both the official image and ours have Spark
HOME = "/opt/spark"

#: cores that the worker offers: two for the resident driver, one for a Connect server, one for a user's spark-submit
CORES, DRIVER_CORES, OTHER_CORES = 4, 2, 1

#: a heap of 640 MB and what a JVM has beside it
CONNECT_MEMORY = "1280m"


class ContainerSpark(Engine):
    """Starts a master and a worker, then the host process of the driver; a Spark Connect server when asked for."""

    name: ClassVar[str] = "container"
    fidelity: ClassVar[tuple[str, ...]] = (
        "local-files: executors see the project (read-only) and the warehouse, not other local files of this host",
        "python: functions run on the image's Python (3.11), which must be of the driver's minor version",
        "macos: needs host networking, which Docker Desktop has as an option only",
        "static-conf: one JVM for all jobs; static settings come from the environment file only",
        "hive: the catalog is in memory; no Hive metastore",
    )
    memory: ClassVar[str] = "3g"

    def start(self, spec: ServiceSpec, place: Place) -> Running:
        assert isinstance(spec, SparkSpec)
        if not spec.master.startswith("local"):
            raise ConfigError(
                f"services.{place.folder.name}.master is {spec.master}, and the container engine makes its own cluster",
                hint="remove it, or use engine: embedded, whose driver goes to any master",
            )
        client = connect()
        cluster = Cluster(client, spec, place, image_for(spec, "spark", client, place.report))
        try:
            return cluster.start()
        except BaseException:
            cluster.stop()
            raise


class Cluster:
    """The containers of one service, as they are started one after the other.

    Args:
        client: the container engine.
        spec: what the environment says.
        place: of the service.
        image: holds Spark.
    """

    def __init__(self, client: docker.DockerClient, spec: SparkSpec, place: Place, image: str) -> None:
        self._client, self._spec, self._place, self._image = client, spec, place, image
        self._memory = spec.memory or ContainerSpark.memory
        self._secret = random_password()
        self._jars = self._jars_to_mount()
        self._conf = place.folder / "conf"
        self._running: list[ContainerRunning] = []
        self._master = 0
        self._connect = 0

    def start(self) -> Running:
        """Start everything; the driver only when the master listens, since it would wait 20 s for a second try."""
        self._launch("master", self._master_plan, "512m")
        self._wait_for_master()
        self._launch("worker", self._worker_plan, self._memory)
        url = f"spark://127.0.0.1:{self._master}"
        host = start_host(
            self._spec.model_copy(update={"master": url}), self._place, ContainerSpark.name, self._settings()
        )
        self._write_defaults()
        options = {"conf": str(self._conf)}
        if self._spec.connect:
            self._launch("connect", self._connect_plan, CONNECT_MEMORY)
            options["connect"] = f"sc://127.0.0.1:{self._connect}"
        endpoint = host.endpoint.model_copy(update={"options": {**host.endpoint.options, **options}})
        return RunningSpark(endpoint, host, self._running)

    def stop(self) -> None:
        """Remove what was started."""
        for running in self._running:
            running.stop()

    def _launch(self, name: str, plan: Callable[[], Plan], memory: str) -> None:
        container = start_container(self._client, self._place, plan)
        log = self._place.folder / f"{name}.log"
        at = Endpoint(role="spark", engine=ContainerSpark.name, port=self._master, password=self._secret)
        self._running.append(ContainerRunning(at, container, memory, log))

    def _wait_for_master(self) -> None:
        until = time.monotonic() + self._spec.start_timeout
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._master), timeout=1.0).close()
            except OSError:
                pass
            else:
                return
            running = self._running[0]
            common: dict[str, Any] = {
                "role": self._place.folder.name,
                "engine": ContainerSpark.name,
                "log": running.log_tail(),
            }
            if not running.alive():
                raise running.failure() or Crashed("Spark's master ended before it listened", **common)
            if time.monotonic() > until:
                raise StartTimeout(
                    f"Spark's master did not listen after {self._spec.start_timeout:g} s",
                    hint="on a slow machine raise its start_timeout",
                    **common,
                )
            time.sleep(0.05)

    # -- the containers

    def _master_plan(self) -> Plan:
        self._master, page = free_ports(2)
        where = ["--host", "127.0.0.1", "--port", str(self._master), "--webui-port", str(page)]
        command = [f"{HOME}/bin/spark-class", "org.apache.spark.deploy.master.Master", *where]
        return self._plan(command, "512m", {"SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false"})

    def _worker_plan(self) -> Plan:
        port, page = free_ports(2)
        where = ["--host", "127.0.0.1", "--port", str(port), "--webui-port", str(page)]
        # the JVM of the worker itself, and Python's processes, are beside the executors' heaps
        size = ["--cores", str(CORES), "--memory", f"{max(_megabytes(self._memory) - 768, 512)}m"]
        command = [f"{HOME}/bin/spark-class", "org.apache.spark.deploy.worker.Worker", *where, *size]
        return self._plan([*command, f"spark://127.0.0.1:{self._master}"], self._memory, mounts=self._shared())

    def _connect_plan(self) -> Plan:
        self._connect, *_ = free_ports(1)
        settings = {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(self._connect),
            # no executor is held for a server that nobody uses
            "spark.dynamicAllocation.enabled": "true",
            "spark.dynamicAllocation.shuffleTracking.enabled": "true",
            "spark.dynamicAllocation.initialExecutors": "0",
            "spark.dynamicAllocation.executorIdleTimeout": "10s",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.warehouse.dir": (self._place.folder / "warehouse").as_uri(),
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            **({"spark.driver.extraClassPath": self._class_path()} if self._jars else {}),
        }
        command = [f"{HOME}/bin/spark-submit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
        command += ["--master", f"spark://127.0.0.1:{self._master}"]
        command += [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
        # spark-submit takes the server for a daemon, and its memory from here, whatever --driver-memory says
        environ = {"SPARK_CONF_DIR": str(self._conf), "SPARK_DAEMON_MEMORY": "640m"}
        mounts = [*self._shared(), (self._conf, str(self._conf), "ro")]
        return self._plan(command, CONNECT_MEMORY, environ, mounts)

    def _plan(
        self,
        command: Sequence[str],
        memory: str,
        environ: Mapping[str, str] | None = None,
        mounts: Sequence[tuple[Path, str, str]] = (),
    ) -> Plan:
        common = {
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_HOSTNAME": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": " ".join(("-Dspark.authenticate=true", *QUICK)),
            "SPARK_NO_DAEMONIZE": "1",
            # Spark's own name for it: in a setting it would be on command lines, for all to see
            "_SPARK_AUTH_SECRET": self._secret,
            "SPARK_WORKER_DIR": "/tmp/spark-work",  # noqa: S108 - in the container
            "SPARK_LOCAL_DIRS": "/tmp/spark-local",  # noqa: S108 - in the container
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "HOME": "/tmp",  # noqa: S108 - in the container
        }
        # files in the shared folders must belong to whoever runs the driver
        user = f"{os.getuid()}:{os.getgid()}"
        environ = {**common, **(environ or {})}
        return Plan(self._image, command, environ, mounts=mounts, memory=memory, user=user, host_network=True)

    # -- what driver and executors have in common

    def _shared(self) -> list[tuple[Path, str, str]]:
        """Return the mounts by which a path means the same to the driver and to an executor."""
        warehouse, temporary = self._place.folder / "warehouse", self._place.folder / "tmp"
        for folder in (warehouse, temporary):
            folder.mkdir(exist_ok=True)
        mounts = [(folder, str(folder), "rw") for folder in (warehouse, temporary)]
        packages = Path(sysconfig.get_path("purelib"))
        mounts += [(folder, str(folder), "ro") for folder in (self._place.project, packages, *self._jars)]
        return [*mounts, (self._interpreter(), sys.executable, "ro")]

    def _interpreter(self) -> Path:
        """Write what answers in a container to the path of this host's Python, which the driver sends to executors."""
        script = self._place.folder / "python"
        script.write_text('#!/bin/sh\nexec /usr/bin/python3 "$@"\n')
        script.chmod(0o755)
        return script

    def _settings(self) -> dict[str, str]:
        return {
            "spark.cores.max": str(DRIVER_CORES),
            "spark.executor.memory": f"{max((_megabytes(self._memory) - 768) // 2, 512)}m",
            "spark.authenticate": "true",
            "spark.authenticate.secret": self._secret,
            **self._executor_settings(),
        }

    def _write_defaults(self) -> None:
        """Write spark-defaults.conf for the Connect server, and for a `spark-submit` of the user's own."""
        self._conf.mkdir(mode=0o700)
        own = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"}
        # what the resident driver leaves of the cluster
        own |= {"spark.cores.max": str(OTHER_CORES), "spark.executor.memory": "512m"}
        lines = (f"{key} {value}\n" for key, value in {**self._settings(), **own}.items())
        (self._conf / "spark-defaults.conf").write_text("".join(lines))

    def _executor_settings(self) -> dict[str, str]:
        options = {"spark.executor.extraJavaOptions": " ".join((*QUICK, "-Duser.timezone=UTC"))}
        return {**options, **({"spark.executor.extraClassPath": self._class_path()} if self._jars else {})}

    def _class_path(self) -> str:
        return ":".join(f"{folder}/*" for folder in self._jars)

    def _jars_to_mount(self) -> list[Path]:
        """Return the folder of jars for an image that was not built with the ones that this version uses.

        Raises:
            ServiceError: the image was built here for another version of Spark.
        """
        labels = self._client.images.get(self._image).labels
        built_for = labels.get("harness.pyspark")
        if built_for not in (None, pyspark_version()):
            raise ServiceError(
                f"the image {self._image} holds Spark {built_for}, and the driver is {pyspark_version()}",
                role=self._place.folder.name,
                engine=ContainerSpark.name,
                hint="build it again with `harness images build spark`",
            )
        if labels.get("harness.jars") == fingerprint():
            return []
        return [jars("spark", self._place.cache, self._place.report)[0].parent]


class RunningSpark(Running):
    """The driver's host process and the containers of its cluster.

    Args:
        endpoint: the host process's, with the cluster's addresses.
        host: owns the driver.
        containers: master, worker and perhaps a Connect server, in this order.
    """

    def __init__(self, endpoint: Endpoint, host: ProcessRunning, containers: Sequence[ContainerRunning]) -> None:
        self.endpoint = endpoint
        self._host = host
        self._containers = tuple(containers)

    def alive(self) -> bool:
        return self._host.alive() and all(container.alive() for container in self._containers)

    def stop(self, within: float = 10.0) -> None:
        self._host.stop(within)
        for container in self._containers:
            container.stop(within)

    def log_tail(self, lines: int = 20) -> tuple[str, ...]:
        """Return the driver's last lines; those of a container of its cluster when that is what ended."""
        ended = next((container for container in self._containers if not container.alive()), self._host)
        return ended.log_tail(lines)

    def log_path(self) -> Path | None:
        return self._host.log_path()

    def failure(self) -> ServiceError | None:
        return next((failure for container in self._containers if (failure := container.failure())), None)

    def pids(self) -> tuple[int, ...]:
        return tuple(pid for part in (self._host, *self._containers) for pid in part.pids())


def _megabytes(memory: str) -> int:
    """Read `512m` or `3g`."""
    return int(memory[:-1]) * {"k": 1, "m": 1024, "g": 1024 * 1024}[memory[-1]] // 1024
