"""A role in sixty lines: a key-value store over TCP, so that sessions can be tested without a heavy service."""

from __future__ import annotations

import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from harness.engines.base import Engine, Place, Running
from harness.engines.process import ProcessRunning, ServerProcess, free_port
from harness.environment.service import ServiceSpec
from harness.environment.spec import ConnectionSpec
from harness.hookspecs import hookimpl
from harness.models.service import Connection, Endpoint, Slice
from harness.models.snapshot import Dataset
from harness.services.base import Service

SERVER = """
import os, socketserver, sys, time
STORE = {}
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        word, _, rest = self.rfile.readline().decode().strip().partition(" ")
        if word == "put":
            key, _, value = rest.partition(" ")
            STORE[key] = value
        if word == "drop":
            for key in [key for key in STORE if key.startswith(rest) and key != "stuck"]:
                del STORE[key]
        if word == "die":
            os._exit(3)
        self.wfile.write(("\\n".join(f"{k} {v}" for k, v in STORE.items()) + "\\n").encode())
print("toy store", flush=True)
if sys.argv[2] == "crash":
    sys.exit("toy: cannot open the drawer")
if sys.argv[2] == "hang":
    time.sleep(600)
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class ToySpec(ServiceSpec):
    keys: list[str] = []
    behaviour: str = "serve"


class EmbeddedToy(Engine):
    name = "embedded"
    fidelity = ("persistence: the toy forgets all at its end",)

    def start(self, spec: ServiceSpec, place: Place) -> Running:
        assert isinstance(spec, ToySpec)
        port = free_port()
        process = ServerProcess.spawn(
            [sys.executable, "-c", SERVER, str(port), spec.behaviour], folder=place.folder, log=place.folder / "log"
        )
        endpoint = Endpoint(role="toy", engine="embedded", port=port, password="toy-secret")
        return ProcessRunning(endpoint, process)


class Toy(Service[ToySpec]):
    role = "toy"
    spec_type = ToySpec
    engines: Mapping[str, str] = {"embedded": "toy:EmbeddedToy"}
    named = True

    def whole(self) -> Slice:
        return Slice(names={"key": {key: key for key in self.spec.keys}})

    def ask(self, line: str) -> dict[str, str]:
        with socket.create_connection((self.endpoint.host, self.endpoint.port), timeout=60) as connection:
            connection.sendall(line.encode() + b"\n")
            lines = connection.makefile().read().split("\n")
        return dict(line.split(" ", 1) for line in lines if line)

    def put(self, key: str, value: str) -> None:
        self.ask(f"put {self.slice.prefix}{key} {value}")

    def ping(self) -> None:
        self.ask("list")

    def open(self, prefix: str) -> Slice:
        return Slice(prefix=f"{prefix}-", names={"key": {key: f"{prefix}-{key}" for key in self.spec.keys}})

    def close(self) -> None:
        self.ask(f"drop {self.slice.prefix}")

    def empty(self) -> None:
        if "stuck" in self.ask("drop "):
            raise OSError("the drawer is stuck")

    def outside(self) -> dict[str, str]:
        held = self.ask("list").items() if self.slice.prefix else ()
        return {f"key {key!r}": value for key, value in held if "-" not in key}

    @property
    def client(self) -> Any:
        return self

    def connection(self, spec: ConnectionSpec) -> Connection:
        return Connection(conn_type="toy", host=self.endpoint.host, port=self.endpoint.port)

    def environ(self) -> dict[str, str]:
        return {"TOY": self.endpoint.address, "TOY_PREFIX": self.slice.prefix}

    def snapshot(self, volatile: Mapping[str, Collection[str]] | None = None) -> list[Dataset]:
        stored = {self.slice.logical("key", k): v for k, v in self.ask("list").items() if self.owns(k)}
        return [
            Dataset(service=self.name, name=key, kind="object", rows=len(value), digests={value: 1})
            for key, value in stored.items()
        ]

    def owns(self, key: str) -> bool:
        return key.startswith(self.slice.prefix)


@hookimpl
def harness_roles() -> Sequence[type[Service[Any]]]:
    return [Toy]
