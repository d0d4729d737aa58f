"""The role `http`: the project's synthetic upstream systems, each at a port of its own, and what they were asked."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.environment.spec import ConnectionSpec, HttpSpec, ServiceSpec
from harness.errors import ConfigError, ServiceError, Unreachable
from harness.models.service import Connection, Slice
from harness.models.snapshot import Dataset
from harness.services._calls import Call, effective
from harness.services.base import Service

if TYPE_CHECKING:
    import httpx

#: seconds for one request of `client`, and for one `ping`
_ANSWER_WITHIN, _PING_WITHIN = 30.0, 5.0


class Http(Service[HttpSpec]):
    """A server of applications; `client` is an httpx client whose addresses start at the server's root."""

    role: ClassVar[str] = "http"
    spec_type: ClassVar[type[ServiceSpec]] = HttpSpec
    engines: ClassVar[Mapping[str, str]] = {"embedded": "harness.engines.embedded.http:EmbeddedHttp"}

    _client: tuple[int, httpx.Client] | None = None

    def url(self, app: str | None = None) -> str:
        """Return the address of an application, or the server's; raises ConfigError for one that is not declared.

        An application is the root of its address, which no other namespace has; the server has each below its name.
        """
        root = f"{self._scheme}://{self.endpoint.address}"
        if self.slice.prefix:
            root += f"/~{self.slice.prefix}"
        if app is None:
            return root
        if app not in self.spec.apps:
            raise ConfigError(
                f"services.{self.name} declares no application {app!r}",
                hint=f"it declares: {', '.join(self.spec.apps) or 'none'}",
            )
        port = self.ports.get(app)
        return f"{root}/{app}" if port is None else f"{self._scheme}://{self.endpoint.host}:{port}"

    @property
    def ports(self) -> dict[str, int]:
        """The port of each application; an external server has none of its own for each."""
        own = self.slice.names.get("port")
        if own is None:
            front = "port."
            options = self.endpoint.options
            own = {name.removeprefix(front): port for name, port in options.items() if name.startswith(front)}
        return {name: int(port) for name, port in own.items()}

    @property
    def _scheme(self) -> str:
        return self.endpoint.options.get("scheme", "http")

    def whole(self) -> Slice:
        return Slice(names={"app": {name: name for name in self.spec.apps}})

    def ping(self) -> None:
        """Ask the server whether it is ready: it is when all applications are imported and started."""
        answer = self.client.get("/-/ready", timeout=_PING_WITHIN)
        if answer.status_code != 200:
            raise Unreachable(f"{answer.request.url} answered {answer.status_code}", role=self.name)

    def open(self, prefix: str) -> Slice:
        """Return a slice with ports of its own; the applications are the same, and told by `root_path` who asks."""
        ports = self.client.post(f"/-/doors/{prefix}").raise_for_status().json()
        return Slice(prefix=prefix, names={**self.whole().names, "port": {name: str(ports[name]) for name in ports}})

    def close(self) -> None:
        """Close the slice's ports and forget its calls."""
        if self.slice.prefix:
            self.client.delete(f"/-/doors/{self.slice.prefix}")
        self.release()

    def calls(self, app: str | None = None) -> list[Call]:
        """Return what was asked of the applications, in the order of the answers; tests and seeds do not count.

        Args:
            app: only of this one.

        Raises:
            ServiceError: the server is not ours, so that nobody can tell.
        """
        folder = self.endpoint.options.get("calls")
        if folder is None:
            raise ServiceError(
                "what an external server was asked cannot be read",
                role=self.name,
                engine=self.endpoint.engine,
                hint="tests that look at calls need `engine: embedded`",
            )
        notes = Path(folder, f"{self.slice.prefix or 'main'}.jsonl")
        lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
        found = [Call.model_validate_json(line) for line in lines]
        return [call for call in found if app in (None, call.app)]

    @property
    def readable(self) -> bool:
        return "calls" in self.endpoint.options

    def asked_by_seeds(self) -> list[str]:
        """Return what seeds and tests have asked of the applications, a line each, without the times."""
        folder = self.endpoint.options.get("calls")
        notes = Path(folder, f"{self.slice.prefix or 'main'}.own.jsonl") if folder else None
        return notes.read_text(encoding="utf-8").splitlines() if notes is not None and notes.exists() else []

    def snapshot(self, volatile: Mapping[str, Collection[str]] | None = None) -> list[Dataset]:
        """Return one dataset for each address that was asked to change something, with the calls that had an effect.

        Those are the calls that were answered with success. One with a key of idempotency counts once, as do PUT and
        DELETE of the same content (RFC 9110, 9.2.2). What is only read is no outcome.

        Args:
            volatile: `app METHOD /path` -> what to leave out: `query`, `body`, or fields of a JSON body.
        """
        return effective(self.name, self.calls(), volatile or {}) if self.readable else []

    @property
    def client(self) -> httpx.Client:
        """Return the httpx client of this process; `client.get("/movielens/ratings")`."""
        if self._client is None or self._client[0] != os.getpid():
            import httpx

            # trust_env: a company's proxy does not know this machine's loopback interface
            own = {"x-harness-own": "1"}
            made = httpx.Client(base_url=self.url(), headers=own, timeout=_ANSWER_WITHIN, trust_env=False)
            self._client = (os.getpid(), made)
        return self._client[1]

    def connection(self, spec: ConnectionSpec) -> Connection:
        """Return an `http` connection to one application: the one named, or the only one.

        Schema, host and port are as in Airflow's own URI form. An external server has its applications below their
        names, and Airflow's hook knows no other place for a path: there `host` is the whole address.

        Raises:
            ConfigError: there are several applications, and the entry names none.
        """
        app = spec.app
        if app is None and len(self.spec.apps) != 1:
            raise ConfigError(
                f"a connection to services.{self.name} does not say which application it means",
                hint=f"add `app:`, one of: {', '.join(self.spec.apps) or 'none declared'}",
            )
        app = app or next(iter(self.spec.apps))
        address = self.url(app)
        port = self.ports.get(app)
        if port is None:
            return Connection(conn_type="http", host=address, extra=dict(spec.extra))
        return Connection(
            conn_type="http", schema=self._scheme, host=self.endpoint.host, port=port, extra=dict(spec.extra)
        )

    def attach_hint(self) -> str | None:
        return " ".join(["curl", *(self.url(app) for app in self.spec.apps)])

    def release(self) -> None:
        if self._client is not None and self._client[0] == os.getpid():
            self._client[1].close()
        self._client = None
