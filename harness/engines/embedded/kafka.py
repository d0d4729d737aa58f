"""The real Apache Kafka broker as one small JVM: KRaft, one node, no Docker."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from harness.engines.base import Engine, Place, Running
from harness.engines.jars import exclusive, fingerprint, jars
from harness.engines.java import Java, find_java
from harness.engines.jvm import QUICK, archive_flags, archive_path, argument_file, join
from harness.engines.process import ProcessRunning, ServerProcess, free_ports, reserved_ports
from harness.environment.spec import KafkaSpec, ServiceSpec
from harness.errors import ServiceError
from harness.models.service import Endpoint

#: how many faults may be between clients and the broker at one time, each on a route of its own
SLOTS = 4

#: Any value serves; it is fixed because the formatted folder that holds it is shared by all brokers.
CLUSTER_ID = "ZHRhcC1oYXJuZXNzLTAwMQ"

SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT

# one node: everything that is replicated three times elsewhere
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0

# a topic that nobody declared is a mistake in the pipeline, not a wish
auto.create.topics.enable=false
# test data carries dates of long ago: nothing is deleted for its age
log.retention.ms=-1

# one small JVM
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=4194304
log.flush.scheduler.interval.ms=9223372036854775807
"""


class EmbeddedKafka(Engine):
    """Starts a broker from the jars in the user's cache."""

    name: ClassVar[str] = "embedded"
    fidelity: ClassVar[tuple[str, ...]] = (
        "auth: listens without authentication on the loopback interface only",
        "replication: one node; no leader election, no under-replicated partition",
        "retention: messages are never deleted for their age",
    )

    def start(self, spec: ServiceSpec, place: Place) -> Running:
        assert isinstance(spec, KafkaSpec)
        java = find_java()
        class_path = jars("kafka", place.cache, place.report)
        data = place.folder / "data"
        shutil.copytree(formatted_folder(place.cache, java, class_path), data)
        # a broker takes seconds to come up, and for as long its ports would be anybody's
        (port, controller, *behind), held = reserved_ports(2 + SLOTS)
        routes = Routes(behind, held)
        settings = place.folder / "server.properties"
        settings.write_text(server_properties(port, controller, data, routes.listeners()))
        archive = archive_path(place.cache, "kafka", java, class_path)
        command = broker_command(java, class_path, archive_flags(archive), settings, place.folder)
        process = ServerProcess.spawn(
            command,
            folder=place.folder,
            log=place.folder / "kafka.log",
            env=place.environ,
            # A broker that is asked to end moves its leaderships away and syncs its disk, for data that goes with it.
            stop_signal=signal.SIGKILL,
        )
        endpoint = Endpoint(role="kafka", engine=self.name, port=port, options={"slots": routes.described()})
        return RunningKafka(endpoint, process, routes, remove=(data,))


class Routes:
    """Spare listeners, each advertised under a port on which a faulty proxy may listen.

    A broker tells its clients where to connect, so that a proxy in front of the ordinary listener is used for the first
    request only. The advertised ports stay bound (not listened on) by this process, for nobody else to get them; a
    proxy binds them as well, with SO_REUSEADDR.

    Args:
        behind: the port of the broker's own listener for each slot.
        held: what keeps others from the broker's own ports, closed with the routes.
    """

    def __init__(self, behind: Sequence[int], held: ExitStack | None = None) -> None:
        advertised, reserve = reserved_ports(len(behind))
        self._held = held or ExitStack()
        self._held.enter_context(reserve)
        self.ports = list(zip(behind, advertised, strict=True))

    def listeners(self) -> Iterator[tuple[str, int, int]]:
        """Yield the name, the port and the advertised port of each spare listener."""
        for slot, (port, advertised) in enumerate(self.ports):
            yield f"FAULT{slot}", port, advertised

    def described(self) -> str:
        """Return `port:advertised,...` in the order of the slots, as `Endpoint.options["slots"]` carries it."""
        return ",".join(f"{port}:{advertised}" for port, advertised in self.ports)

    def close(self) -> None:
        """Give the reserved ports back; idempotent."""
        self._held.close()


class RunningKafka(ProcessRunning):
    """A broker, and the ports that are reserved for proxies in front of it."""

    def __init__(self, endpoint: Endpoint, process: ServerProcess, routes: Routes, remove: Sequence[Path]) -> None:
        super().__init__(endpoint, process, remove)
        self._routes = routes

    def stop(self, within: float = 10.0) -> None:
        super().stop(within)
        self._routes.close()


def broker_command(
    java: Java, class_path: Sequence[Path], flags: Sequence[str], settings: Path, folder: Path
) -> list[str]:
    """Return the command of a broker; its java arguments go into a file in `folder`."""
    arguments = [
        "-Xmx384m",
        *QUICK,
        *flags,
        # INFO tells every setting at start and every change of a topic, which hides what matters
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.log.kafka.server.BrokerServer=info",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        *("-cp", join(class_path)),
    ]
    return [str(java.executable), argument_file(folder / "java.args", arguments), "kafka.Kafka", str(settings)]


def server_properties(port: int, controller: int, data: Path, spare: Iterable[tuple[str, int, int]] = ()) -> str:
    """Return the broker's whole configuration.

    Args:
        port: of the ordinary listener.
        controller: port of the KRaft controller's.
        data: the formatted folder.
        spare: name, port and advertised port of more listeners.
    """
    listeners = [("PLAINTEXT", port, port), *spare]
    own = [f"{name}://127.0.0.1:{here}" for name, here, _ in listeners]
    advertised = [f"{name}://127.0.0.1:{there}" for name, _, there in listeners]
    names = [name for name, _, _ in listeners] + ["CONTROLLER"]
    return SETTINGS + "\n".join(
        [
            "",
            f"controller.quorum.voters=1@127.0.0.1:{controller}",
            f"listeners={','.join([*own, f'CONTROLLER://127.0.0.1:{controller}'])}",
            f"advertised.listeners={','.join(advertised)}",
            f"listener.security.protocol.map={','.join(f'{name}:PLAINTEXT' for name in names)}",
            f"log.dirs={data}",
            "",
        ]
    )


def formatted_folder(cache: Path, java: Java, class_path: Sequence[Path]) -> Path:
    """Return a folder as `kafka-storage format` leaves it: made once, since it costs a JVM's start, and copied."""
    target = cache / "kafka" / fingerprint()
    if target.is_dir():
        return target
    with exclusive(cache / "kafka" / ".lock", deadline=120.0):
        if not target.is_dir():
            _format(target, java, class_path)
    return target


def _format(target: Path, java: Java, class_path: Sequence[Path]) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".formatting-") as temporary:
        data = Path(temporary, "data")
        settings = Path(temporary, "server.properties")
        port, controller = free_ports(2)
        settings.write_text(server_properties(port, controller, data))
        command = [str(java.executable), *QUICK, "-cp", join(class_path)]
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(settings)]
        done = subprocess.run([*command, *tool], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise ServiceError(
                "cannot format a folder for the broker",
                role="kafka",
                engine="embedded",
                log=tuple((done.stdout + done.stderr).splitlines()[-10:]),
            )
        data.rename(target)
