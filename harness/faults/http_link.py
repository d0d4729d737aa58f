"""HTTP through the proxy, request by request: which one is a write, what is answered in the service's place."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from harness.faults.link import CHUNK, Cut, Link, Write

if TYPE_CHECKING:
    from harness.models.fault import Outage

_WRITES = frozenset({"PUT", "POST", "DELETE", "PATCH"})
#: S3 operations that change nothing that a reader can see: a multipart upload counts when it is completed
_UNSEEN = ("uploads", "partNumber", "select", "restore")
_DRAIN_WITHIN = 5.0
"""Seconds for the rest of a request that is answered here."""


@dataclass(frozen=True)
class Head:
    """The head of a request or an answer.

    Args:
        first: the three parts of the first line.
        fields: by their names in lower case.
        raw: as it came, with the empty line.
    """

    first: tuple[str, str, str]
    fields: dict[str, str]
    raw: bytes

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> Head | None:
        """Read one; None at the end of the connection."""
        try:
            raw = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        lines = raw.decode("latin-1").split("\r\n")
        parts = [*lines[0].split(" ", 2), "", ""]
        fields = dict(line.split(":", 1) for line in lines[1:] if ":" in line)
        return cls((parts[0], parts[1], parts[2]), {k.strip().lower(): v.strip() for k, v in fields.items()}, raw)

    @property
    def stays(self) -> bool:
        """Tell whether the connection serves another request after this one."""
        version = self.first[0] if self.first[0].startswith("HTTP/") else self.first[2]
        return self.fields.get("connection", "").lower() != "close" and version != "HTTP/1.0"

    @property
    def status(self) -> int:
        return int(self.first[1])

    def write(self, *, s3: bool) -> Write | None:
        """Return what this request writes when it is answered with success; None for one that only reads."""
        method, target, _ = self.first
        if method not in _WRITES:
            return None
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True)
        path = unquote(parts.path).lstrip("/")
        if not s3:
            return method, f"/{path}"
        if any(name in query for name in _UNSEEN) or (method == "DELETE" and "uploadId" in query):
            return None
        return ("DELETE" if "delete" in query else method), path


class HttpLink(Link):
    """A connection of HTTP/1.1."""

    async def serve(self) -> None:
        """Serve one request after the other."""
        while True:
            head = await Head.read(self.reader)
            if head is None:
                return
            outage = await self.gate()
            if (answer := self._instead(head, outage)) is not None:
                await self._answer(head, answer)
                return
            write = head.write(s3=self.relay.front.role == "s3")
            async with self.relay.turn() if write else contextlib.nullcontext():
                # the write that it waited for may have been the last one
                if (answer := self._instead(head, outage)) is not None:
                    await self._answer(head, answer)
                    return
                again = await self._exchange(head, write)
            if not again:
                return

    def _instead(self, head: Head, outage: Outage | None) -> bytes | None:
        if self.relay.is_dead(head.fields.get("user-agent", "")):
            return _error(403, "Forbidden", "AccessDenied")
        if outage is not None and outage.kind == "http_503":
            return _error(503, "Service Unavailable", "SlowDown")
        return None

    async def _answer(self, head: Head, answer: bytes) -> None:
        """Answer in the service's place, when the client has said all; else it would see a reset."""
        if "expect" not in head.fields:
            async with asyncio.timeout(_DRAIN_WITHIN):
                async for _ in _body(self.reader, head):
                    pass
        await self.to_client(answer)

    async def _exchange(self, head: Head, write: Write | None) -> bool:
        reader, _ = await self.connect()
        await self.to_server(head.raw)
        sending = asyncio.create_task(self._send_body(head))
        try:
            answer = await Head.read(reader)
            while answer is not None and 100 <= answer.status < 200:
                # "go on" is no answer: without it the request would never be made
                await self.to_client(answer.raw, regardless=True)
                answer = await Head.read(reader)
            if answer is None:
                raise Cut
            struck = None
            if write is not None and 200 <= answer.status < 300:
                struck = await self.relay.acknowledged(write, head.fields.get("user-agent", ""))
            await self._hand_on(answer, reader, head.first[0], regardless=struck == "raise")
            return sending.done() and head.stays and answer.stays
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
                await sending

    async def _send_body(self, head: Head) -> None:
        async for part in _body(self.reader, head):
            await self.to_server(part)

    async def _hand_on(self, answer: Head, reader: asyncio.StreamReader, method: str, *, regardless: bool) -> None:
        await self.to_client(answer.raw, regardless=regardless)
        if method == "HEAD" or answer.status in (204, 304):
            return
        passed = 0
        async for part in _body(reader, answer, to_end=True):
            outage = self.relay.weather.outage
            if outage is not None and outage.kind == "truncate" and passed + len(part) > outage.after_bytes:
                await self.to_client(part[: outage.after_bytes - passed])
                raise Cut
            passed += len(part)
            await self.to_client(part, regardless=regardless)


async def _body(reader: asyncio.StreamReader, head: Head, *, to_end: bool = False) -> AsyncIterator[bytes]:
    """Yield a body as it is on the wire (RFC 9112, section 6).

    Args:
        to_end: without a length it lasts until the connection ends, as an answer's does.
    """
    if "chunked" in head.fields.get("transfer-encoding", "").lower():
        while True:
            line = await reader.readuntil(b"\r\n")
            yield line
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            async for part in _exactly(reader, size + 2):
                yield part
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            yield line
        yield line
    elif "content-length" in head.fields:
        async for part in _exactly(reader, int(head.fields["content-length"])):
            yield part
    elif to_end:
        while part := await reader.read(CHUNK):
            yield part


async def _exactly(reader: asyncio.StreamReader, size: int) -> AsyncIterator[bytes]:
    while size > 0:
        part = await reader.read(min(size, CHUNK))
        if not part:
            raise Cut
        size -= len(part)
        yield part


def _error(status: int, reason: str, code: str) -> bytes:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>fault</Message></Error>'
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n{body}".encode()
