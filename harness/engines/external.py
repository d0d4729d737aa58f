"""A service that exists elsewhere: it is used as it is, and never created, emptied or stopped."""

from __future__ import annotations

from harness.engines.base import Engine, Place, Running
from harness.environment.service import ServiceSpec
from harness.errors import ServiceError
from harness.models.service import Endpoint


class External(Engine):
    """Takes the address and the credentials from the environment file, for any role.

    It is exclusive: there is one copy of its content, so a namespace of it is all of it, under the plain names.
    """

    name = "external"
    fidelity = ("namespaces: an external service is shared as it is",)

    def start(self, spec: ServiceSpec, place: Place) -> Running:
        """Return the service at the address that the environment gives.

        Raises:
            ServiceError: the environment gives none.
        """
        missing = [key for key in ("host", "port") if getattr(spec, key) is None]
        if missing:
            raise ServiceError(
                f"no {' and no '.join(missing)} for a service that exists elsewhere",
                role=place.folder.name,
                engine=self.name,
                hint="add them to its block in the environment file, for example host: ${PGHOST}",
            )
        return ElsewhereRunning(
            Endpoint(
                role=spec.role,
                engine=self.name,
                host=spec.host or "",
                port=spec.port or 0,
                user=spec.user,
                password=spec.password,
                options=spec.options,
                secrets=("password", *(key for key in spec.options if "secret" in key or "password" in key)),
            )
        )


class ElsewhereRunning(Running):
    """What is known of a service that others run: its address."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def alive(self) -> bool:
        """Whether it runs is told by its round trip alone."""
        return True

    def stop(self, within: float = 10.0) -> None:
        """Leave it as it is."""

    def log_tail(self, lines: int = 20) -> tuple[str, ...]:
        return ()
