"""The role `http`: the project's synthetic upstream systems, each below its name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from harness.environment.spec import ConnectionSpec, HttpSpec, ServiceSpec
from harness.errors import ConfigError, Unreachable
from harness.models.service import Connection, Slice
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
        """Return the address of an application, or the server's; raises ConfigError for one that is not declared."""
        root = f"{self.endpoint.options.get('scheme', 'http')}://{self.endpoint.address}"
        if self.slice.prefix:
            root += f"/~{self.slice.prefix}"
        if app is None:
            return root
        if app not in self.spec.apps:
            raise ConfigError(
                f"services.{self.name} declares no application {app!r}",
                hint=f"it declares: {', '.join(self.spec.apps) or 'none'}",
            )
        return f"{root}/{app}"

    def whole(self) -> Slice:
        return Slice(names={"app": {name: name for name in self.spec.apps}})

    def ping(self) -> None:
        """Ask the server whether it is ready: it is when all applications are imported and started."""
        answer = self.client.get("/-/ready", timeout=_PING_WITHIN)
        if answer.status_code != 200:
            raise Unreachable(f"{answer.request.url} answered {answer.status_code}", role=self.name)

    def open(self, prefix: str) -> Slice:
        """Return a slice with the same applications, which are told by `root_path` who asks."""
        return Slice(prefix=prefix, names=self.whole().names)

    def close(self) -> None:
        self.release()

    @property
    def client(self) -> httpx.Client:
        """Return the httpx client of this process; `client.get("/movielens/ratings")`."""
        if self._client is None or self._client[0] != os.getpid():
            import httpx

            # trust_env: a company's proxy does not know this machine's loopback interface
            made = httpx.Client(base_url=self.url(), timeout=_ANSWER_WITHIN, trust_env=False)
            self._client = (os.getpid(), made)
        return self._client[1]

    def connection(self, spec: ConnectionSpec) -> Connection:
        """Return an `http` connection to one application: the one named, or the only one.

        HttpHook appends an endpoint to `host`, and knows no other place for a path: so `host` is the whole address.

        Raises:
            ConfigError: there are several applications, and the entry names none.
        """
        app = spec.app
        if app is None and len(self.spec.apps) != 1:
            raise ConfigError(
                f"a connection to services.{self.name} does not say which application it means",
                hint=f"add `app:`, one of: {', '.join(self.spec.apps) or 'none declared'}",
            )
        return Connection(conn_type="http", host=self.url(app or next(iter(self.spec.apps))), extra=dict(spec.extra))

    def attach_hint(self) -> str | None:
        return " ".join(["curl", *(self.url(app) for app in self.spec.apps)])

    def release(self) -> None:
        if self._client is not None and self._client[0] == os.getpid():
            self._client[1].close()
        self._client = None
