"""Apache Kafka in a container: one KRaft node, advertised to this host and to the session's other containers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from harness.engines.base import Engine, Place, Running
from harness.engines.container.base import ContainerRunning, Plan, start_container
from harness.engines.container.docker_engine import connect
from harness.engines.embedded.kafka import CLUSTER_ID, SETTINGS, SLOTS, Routes
from harness.engines.images import image_for
from harness.engines.jvm import QUICK
from harness.engines.process import free_ports
from harness.environment.spec import ServiceSpec
from harness.models.service import Endpoint

#: ports in the container: for this host, for other containers, for the controller, for faults (one above the other)
HOST, PEERS, CONTROLLER, FAULTS = 9092, 19092, 9093, 19200


class ContainerKafka(Engine):
    """Starts one broker."""

    name: ClassVar[str] = "container"
    fidelity: ClassVar[tuple[str, ...]] = (
        "auth: listens without authentication on the loopback interface only",
        "replication: one node; no leader election, no under-replicated partition",
        "retention: messages are never deleted for their age",
    )
    memory: ClassVar[str] = "1g"

    def start(self, spec: ServiceSpec, place: Place) -> Running:
        client = connect()
        image = image_for(spec, "kafka", client, place.report)
        memory = spec.memory or self.memory
        port, routes = 0, Routes(())

        def plan() -> Plan:
            nonlocal port, routes
            routes.close()
            port, *behind = free_ports(1 + SLOTS)
            routes = Routes(behind)
            publish = {HOST: port, **{FAULTS + slot: there for slot, there in enumerate(behind)}}
            environ = broker_environ(place.folder.name, port, [advertised for _, advertised in routes.ports])
            return Plan(image, environ=environ, publish=publish, memory=memory)

        try:
            container = start_container(client, place, plan)
        except BaseException:
            routes.close()
            raise
        options = {"slots": routes.described(), "peers": f"{place.folder.name}:{PEERS}"}
        endpoint = Endpoint(role="kafka", engine=self.name, port=port, options=options)
        running = RunningKafka(endpoint, container, memory, place.folder / "kafka.log")
        running.routes = routes
        return running


class RunningKafka(ContainerRunning):
    """A broker, and the ports that are reserved for proxies in front of it."""

    routes: Routes

    def stop(self, within: float = 10.0) -> None:
        super().stop(within)
        self.routes.close()


def broker_environ(hostname: str, port: int, faults: Sequence[int]) -> dict[str, str]:
    """Return the broker's whole configuration as the variables that the official image reads.

    Args:
        hostname: the container's, under which others on its network find it.
        port: of this host, at which the ordinary listener is published.
        faults: port that each spare listener is advertised under.
    """
    settings = dict(line.split("=", 1) for line in SETTINGS.splitlines() if "=" in line and not line.startswith("#"))
    listeners = {
        "PLAINTEXT": (HOST, f"127.0.0.1:{port}"),
        "PEERS": (PEERS, f"{hostname}:{PEERS}"),
        **{f"FAULT{slot}": (FAULTS + slot, f"127.0.0.1:{at}") for slot, at in enumerate(faults)},
    }
    bound = [f"{name}://0.0.0.0:{inside}" for name, (inside, _) in listeners.items()]
    settings |= {
        "controller.quorum.voters": f"1@localhost:{CONTROLLER}",
        "listeners": ",".join([*bound, f"CONTROLLER://localhost:{CONTROLLER}"]),
        "advertised.listeners": ",".join(f"{name}://{at}" for name, (_, at) in listeners.items()),
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in (*listeners, "CONTROLLER")),
        # the broker talks to itself on the port that it binds, not on this host's
        "inter.broker.listener.name": "PEERS",
        "log.dirs": "/var/lib/kafka/data",
    }
    environ = {f"KAFKA_{name.replace('.', '_').upper()}": value for name, value in settings.items()}
    return {
        **environ,
        "CLUSTER_ID": CLUSTER_ID,
        "KAFKA_HEAP_OPTS": "-Xmx384m",
        "KAFKA_JVM_PERFORMANCE_OPTS": " ".join(QUICK),
    }
