"""The project's own ASGI applications, as synthetic upstream systems, in one uvicorn process."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from harness.engines.base import Engine, Place, Running
from harness.engines.process import ProcessRunning, ServerProcess, listening_socket
from harness.environment.spec import HttpSpec, ServiceSpec
from harness.errors import Crashed, ServiceError
from harness.models.service import Endpoint

_SERVER = Path(__file__).with_name("asgi_server.py")


class EmbeddedHttp(Engine):
    """Starts one process that serves all applications, each at `/NAME` and at a port of its own.

    The project's root is on its import path.
    """

    name: ClassVar[str] = "embedded"
    fidelity: ClassVar[tuple[str, ...]] = (
        "isolation: namespaces share an application, unless it keeps its state by root_path",
        "tls: no TLS",
    )

    def start(self, spec: ServiceSpec, place: Place) -> Running:
        assert isinstance(spec, HttpSpec)
        calls = place.folder / "calls"
        calls.mkdir()
        failure = place.folder / "failure.json"
        with ExitStack() as stack:
            listener = stack.enter_context(listening_socket())
            doors = {name: stack.enter_context(listening_socket()) for name in spec.apps}
            order = {
                "listener": listener.fileno(),
                "project": str(place.project.resolve()),
                "failure": str(failure),
                "calls": str(calls),
                "idempotency": [header.lower() for header in spec.idempotency],
                "apps": {name: {"target": target, "door": doors[name].fileno()} for name, target in spec.apps.items()},
            }
            process = ServerProcess.spawn(
                # -P: the script's own folder has modules that are named like the standard library's
                [sys.executable, "-P", _SERVER, json.dumps(order)],
                folder=place.folder,
                log=place.folder / "http.log",
                env=place.environ,
                pass_fds=(listener.fileno(), *(door.fileno() for door in doors.values())),
            )
            ports = {f"port.{name}": str(door.getsockname()[1]) for name, door in doors.items()}
            options = {"scheme": "http", "calls": str(calls), **ports}
            endpoint = Endpoint(role="http", engine=self.name, port=listener.getsockname()[1], options=options)
        return RunningApps(endpoint, process, failure, calls)


class RunningApps(ProcessRunning):
    """The process of the applications, which leaves a file behind when it could not import one."""

    def __init__(self, endpoint: Endpoint, process: ServerProcess, failure: Path, calls: Path) -> None:
        super().__init__(endpoint, process, remove=(failure, calls))
        self._failure = failure

    def failure(self) -> ServiceError | None:
        if not self._failure.exists():
            return None
        told = json.loads(self._failure.read_text())
        place = f" at {told['place']}" if told["place"] else ""
        return Crashed(
            f"the application {told['app']} ({told['target']}) cannot be imported: {told['error']}{place}",
            engine=self.endpoint.engine,
            hint="an entry of `apps:` is `module:attribute`, found from the project's root",
        )
