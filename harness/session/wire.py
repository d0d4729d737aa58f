"""How a client and the session daemon talk: one JSON object a line, over a unix socket, with a version at the start.

The first line each side sends is its greeting; a client of another version learns so in words, before anything else.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.errors import ServiceError

VERSION = 1
Message = dict[str, Any]


class ChannelClosed(ServiceError):
    """The other side is gone."""


class Channel:
    """One connection. Sending is safe from several threads; receiving belongs to one."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._reader = sock.makefile("rb")
        self._lock = threading.Lock()

    @classmethod
    def connect(cls, path: Path, within: float = 5.0) -> Channel:
        """Connect and exchange greetings.

        Args:
            path: the daemon's socket.
            within: seconds until the daemon must have greeted.

        Raises:
            ChannelClosed: nobody listens there.
            ServiceError: the daemon speaks another version.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(within)
        try:
            sock.connect(str(path))
            channel = cls(sock)
            channel.greet()
        except OSError as error:
            sock.close()
            raise ChannelClosed(f"no daemon answers at {path}: {error}") from error
        except ServiceError:
            sock.close()
            raise
        sock.settimeout(None)
        return channel

    def greet(self) -> None:
        """Send this side's version and read the other's; raises ServiceError when they differ."""
        self.send({"harness": "daemon", "version": VERSION})
        other = self.receive()
        if other.get("version") != VERSION:
            raise ServiceError(
                f"the session daemon speaks wire version {other.get('version')}, this client speaks {VERSION}",
                hint="stop the old one with 'harness down --all' and try again",
            )

    def send(self, message: Message) -> None:
        """Write one message; raises ChannelClosed when the other side is gone."""
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            with self._lock:
                self._socket.sendall(data)
        except OSError as error:
            raise ChannelClosed(f"the other side hung up: {error}") from error

    def receive(self, within: float | None = None) -> Message:
        """Read one message.

        Args:
            within: seconds to wait; None waits as long as the other side lives.

        Raises:
            ChannelClosed: the other side hung up.
            TimeoutError: nothing came in time.
        """
        self._socket.settimeout(within)
        try:
            line = self._reader.readline()
        except TimeoutError:
            raise
        except (OSError, ValueError) as error:
            raise ChannelClosed(f"the other side hung up: {error}") from error
        if not line:
            raise ChannelClosed("the other side hung up")
        message: Message = json.loads(line)
        return message

    def peer(self, option: int, size: int) -> bytes:
        """Return a socket option about the other side, for example SO_PEERCRED."""
        return self._socket.getsockopt(socket.SOL_SOCKET, option, size)

    def hung_up(self) -> bool:
        """Tell whether the other side closed, without reading anything it sent."""
        try:
            readable, _, _ = select.select([self._socket], [], [], 0)
            return bool(readable) and not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False  # another thread has read it meanwhile
        except (OSError, ValueError):
            return True

    def close(self) -> None:
        """Hang up; idempotent."""
        # shutdown first: the reader holds the file descriptor too, and the peer must see the end now
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.close()
        self._socket.close()

    def __enter__(self) -> Channel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
