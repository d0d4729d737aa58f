"""One connection through the proxy: what passes, when, and how it is cut."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from harness.models.fault import Outage

if TYPE_CHECKING:
    from harness.faults.relay import Relay

CHUNK = 65536
"""Bytes that are moved at a time."""
HEAD = 1 << 20
"""Bytes that a reader holds at most: a request's head, or a frame's part that is looked at."""
_CONNECT_WITHIN = 10.0
"""Seconds for the connection to the service behind."""

#: a write that a service acknowledged: (operation, target)
Write = tuple[str, str]


class Cut(ConnectionError):
    """The connection ends here, by intent."""


class Watch(ABC):
    """Reads along on a connection of one protocol; it changes nothing."""

    @abstractmethod
    def sent(self, data: bytes) -> None:
        """Take what the client sends."""

    @abstractmethod
    def received(self, data: bytes) -> Sequence[Write]:
        """Take what the service answers; return the writes that it acknowledges therein."""


class Link:
    """A client's connection and the one behind it.

    Args:
        relay: whose connection it is.
        reader: of the client's side.
        writer: of the client's side.
    """

    def __init__(self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.relay = relay
        self.reader = reader
        self.writer = writer
        self.behind: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._ended = False
        self._answered = 0
        self._asked = False

    async def serve(self) -> None:
        """Move bytes until one side ends, or the weather cuts the connection."""
        raise NotImplementedError

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return the connection to the service, made at first use."""
        if self.behind is not None and self.behind[0].at_eof():
            # the service has ended it while nothing was asked
            self.behind[1].close()
            self.behind = None
        if self.behind is None:
            front = self.relay.front
            opening = asyncio.open_connection(front.host, front.port, limit=HEAD)
            self.behind = await asyncio.wait_for(opening, _CONNECT_WITHIN)
        return self.behind

    async def to_server(self, data: bytes) -> None:
        """Hand on what the client sent, as the weather allows."""
        outage = await self.gate()
        _, writer = await self.connect()
        self._asked = True
        self.relay.asked()
        await _write(writer, data, outage)

    async def to_client(self, data: bytes, *, regardless: bool = False) -> None:
        """Hand on what the service answered, as the weather allows; `regardless` of a fault that has struck."""
        outage = None if regardless else await self.gate()
        if outage is not None and outage.kind == "reset":
            left = outage.after_bytes - self._answered
            if len(data) > left:
                await _write(self.writer, data[: max(left, 0)], None)
                raise Cut
        if outage is not None and outage.kind == "delay" and self._asked:
            await asyncio.sleep(outage.seconds)
        self._asked = False
        self._answered += 0 if regardless else len(data)
        await _write(self.writer, data, outage)

    async def gate(self) -> Outage | None:
        """Wait while nothing passes; return the outage that what passes now is subject to."""
        while True:
            weather = self.relay.weather
            if self._ended:
                raise Cut
            # over HTTP a task that was struck gets an answer, which no client asks for again
            if weather.struck is not None and not self.relay.front.http:
                raise Cut
            if weather.outage is None or weather.outage.kind != "blackhole":
                return weather.outage
            await self.relay.changed.wait()

    def abort(self) -> None:
        """End both sides at once; the client sees a reset."""
        self._ended = True
        for writer in (self.writer, self.behind[1] if self.behind else None):
            if writer is not None:
                reset(writer)

    def close(self) -> None:
        """End both sides in order."""
        for writer in (self.writer, self.behind[1] if self.behind else None):
            if writer is not None:
                writer.close()


class WatchedLink(Link):
    """A connection whose bytes pass as they are, while a watch reads along.

    Args:
        watch: of the protocol; None where nobody understands what passes.
    """

    def __init__(
        self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watch: Watch | None
    ) -> None:
        super().__init__(relay, reader, writer)
        self._watch = watch

    async def serve(self) -> None:
        """Move bytes in both directions."""
        # a connection that is accepted and never answered has nothing behind it
        await self.gate()
        behind, writer = await self.connect()
        up = asyncio.create_task(self._up(writer))
        try:
            await self._down(behind)
        finally:
            up.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await up

    async def _up(self, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await self._read_client():
                if self._watch is not None:
                    self._watch.sent(data)
                await self.to_server(data)
            writer.write_eof()
        except OSError:
            self.abort()

    async def _read_client(self) -> bytes:
        return await self.reader.read(CHUNK)

    async def _down(self, behind: asyncio.StreamReader) -> None:
        while data := await behind.read(CHUNK):
            regardless = False
            for write in self._watch.received(data) if self._watch is not None else ():
                regardless = await self.relay.acknowledged(write) == "raise" or regardless
            await self.to_client(data, regardless=regardless)


Struck = Literal["raise", "kill"] | None


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with a reset instead of an orderly end."""
    raw = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _write(writer: asyncio.StreamWriter, data: bytes, outage: Outage | None) -> None:
    if outage is None or outage.kind != "slow":
        writer.write(data)
        await writer.drain()
        return
    step = max(1, outage.bytes_per_second // 20)
    for start in range(0, len(data), step):
        part = data[start : start + step]
        await asyncio.sleep(len(part) / outage.bytes_per_second)
        writer.write(part)
        await writer.drain()
