"""MinIO in a container: a real object store, which checks signatures."""

from __future__ import annotations

import secrets
from typing import ClassVar

from harness.engines.base import Engine, Place, Running
from harness.engines.container.base import ContainerRunning, Plan, start_container
from harness.engines.container.docker_engine import connect
from harness.engines.images import image_for
from harness.engines.process import free_port, random_password
from harness.environment.spec import ServiceSpec
from harness.models.service import Endpoint


class ContainerS3(Engine):
    """Starts one MinIO server on one folder."""

    name: ClassVar[str] = "container"
    fidelity: ClassVar[tuple[str, ...]] = (
        "durability: one disk, no erasure coding",
        "iam: one user; bucket policies are MinIO's, not AWS's",
    )
    memory: ClassVar[str] = "1g"

    def start(self, spec: ServiceSpec, place: Place) -> Running:
        client = connect()
        image = image_for(spec, "s3", client, place.report)
        memory = spec.memory or self.memory
        user, password = secrets.token_hex(10).upper(), random_password()
        environ = {
            "MINIO_ROOT_USER": user,
            "MINIO_ROOT_PASSWORD": password,
            "MINIO_REGION": "us-east-1",
            "MINIO_BROWSER": "off",
            # it would ask the network for a newer version
            "MINIO_UPDATE": "off",
        }
        command = ["server", "--quiet", "--address", ":9000", "/data"]
        port = 0

        def plan() -> Plan:
            nonlocal port
            port = free_port()
            return Plan(image, command, environ, publish={9000: port}, memory=memory)

        container = start_container(client, place, plan)
        endpoint = Endpoint(
            role="s3",
            engine=self.name,
            port=port,
            user=user,
            password=password,
            options={"scheme": "http", "region": "us-east-1", "server": "minio"},
        )
        return ContainerRunning(endpoint, container, memory, place.folder / "minio.log")
