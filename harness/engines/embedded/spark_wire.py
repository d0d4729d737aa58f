"""How a client talks to the host of the resident Spark: one JSON object per line over loopback TCP, with a token."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harness.errors import ConfigError, ServiceError, Unreachable

Reply = dict[str, Any]


@dataclass(frozen=True)
class HostAddress:
    """Where a host is, and which database of it a client uses; travels as HARNESS_SPARK.

    Args:
        token: whoever has it may run anything as this user.
        database: the current database of the client's sessions.
    """

    host: str
    port: int
    token: str
    database: str = "default"

    def __str__(self) -> str:
        return f"harness://:{self.token}@{self.host}:{self.port}/{self.database}"

    @classmethod
    def parse(cls, text: str) -> HostAddress:
        """Read what `str` writes; raises ConfigError for anything else."""
        parts = urlsplit(text)
        if parts.scheme != "harness" or not (parts.hostname and parts.port and parts.password):
            raise ConfigError(
                "HARNESS_SPARK is not an address that this version wrote", hint="harness://:TOKEN@HOST:PORT/DATABASE"
            )
        return cls(parts.hostname, parts.port, parts.password, parts.path.strip("/") or "default")


class Line:
    """One connection to the host; for `attach` it is also the lease: the host cleans up when it closes.

    Args:
        address: the host's.
        timeout: seconds for each answer.

    Raises:
        Unreachable: nobody listens there.
    """

    def __init__(self, address: HostAddress, timeout: float) -> None:
        self._token = address.token
        try:
            self._socket = socket.create_connection((address.host, address.port), timeout=timeout)
        except OSError as error:
            raise Unreachable(f"{address.host}:{address.port}: {error}", role="spark") from error
        self._file = self._socket.makefile("rwb")

    def ask(self, what: str, **arguments: Any) -> Reply:
        """Send one request and return the answer.

        Raises:
            ServiceError: the host says why it did not do it.
            Unreachable: the host went away, or took too long.
        """
        try:
            send(self._file, {"do": what, "token": self._token, **arguments})
            answer = receive(self._file)
        except OSError as error:
            raise Unreachable(f"the host of Spark did not answer {what!r}: {error}", role="spark") from error
        if answer is None:
            raise Unreachable(f"the host of Spark closed the connection before it answered {what!r}", role="spark")
        if "error" in answer:
            raise ServiceError(answer["error"], role="spark")
        return answer

    def close(self) -> None:
        """Hang up; idempotent, and after a fork it closes this process's copy only."""
        for part in (self._file, self._socket):
            try:
                part.close()
            except OSError:  # a line that is broken already is as good as closed
                continue


def ask(address: HostAddress, what: str, timeout: float = 60.0, **arguments: Any) -> Reply:
    """Ask one thing on a connection of its own; see `Line.ask`."""
    line = Line(address, timeout)
    try:
        return line.ask(what, **arguments)
    finally:
        line.close()


def send(file: Any, message: Reply) -> None:
    """Write one message to a binary file object."""
    file.write(json.dumps(message).encode() + b"\n")
    file.flush()


def receive(file: Any) -> Reply | None:
    """Read one message from a binary file object; None at its end."""
    line = file.readline()
    if not line:
        return None
    message: Reply = json.loads(line)
    return message
