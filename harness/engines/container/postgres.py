"""PostgreSQL in a container, with the settings that the embedded one has."""

from __future__ import annotations

from typing import ClassVar

from harness.engines.base import Engine, Place, Running
from harness.engines.container.base import ContainerRunning, Plan, start_container
from harness.engines.container.docker_engine import connect
from harness.engines.embedded.postgres import SETTINGS, SUPERUSER
from harness.engines.images import image_for
from harness.engines.process import free_port, random_password
from harness.environment.spec import ServiceSpec
from harness.models.service import Endpoint

#: text sorts and folds as in the embedded server, whatever locales an image has (PostgreSQL manual, 23.1.4)
_INITDB = (
    "--encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --lc-collate=C --lc-ctype=C "
    "--lc-messages=C --no-sync"
)

#: the entry points of images decide these
_IMAGE_DECIDES = ("listen_addresses", "unix_socket_directories")


class ContainerPostgres(Engine):
    """Starts one server."""

    name: ClassVar[str] = "container"
    fidelity: ClassVar[tuple[str, ...]] = (
        "durability: fsync is off; a crash of the machine loses data",
        "tls: no TLS",
    )
    memory: ClassVar[str] = "768m"

    def start(self, spec: ServiceSpec, place: Place) -> Running:
        client = connect()
        image = image_for(spec, "postgres", client, place.report)
        memory, password = spec.memory or self.memory, random_password()
        environ = {"POSTGRES_USER": SUPERUSER, "POSTGRES_PASSWORD": password, "POSTGRES_INITDB_ARGS": _INITDB}
        command = ["postgres", *(word for setting in server_settings() for word in ("-c", setting))]
        port = 0

        def plan() -> Plan:
            nonlocal port
            port = free_port()
            return Plan(image, command, environ, publish={5432: port}, memory=memory, options={"shm_size": "256m"})

        container = start_container(client, place, plan)
        endpoint = Endpoint(role="postgres", engine=self.name, port=port, user=SUPERUSER, password=password)
        return ContainerRunning(endpoint, container, memory, place.folder / "postgres.log")


def server_settings() -> list[str]:
    """Return the embedded server's settings as `name=value`, without those that an image decides."""
    lines = (line.partition("=") for line in SETTINGS.splitlines() if line and not line.startswith("#"))
    found = [(name.strip(), value.strip().strip("'")) for name, _, value in lines]
    return [f"{name}={value}" for name, value in found if name not in _IMAGE_DECIDES]
