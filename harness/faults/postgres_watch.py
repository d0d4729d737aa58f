"""Finds committed changes in a Postgres connection (PostgreSQL manual, 54: "Frontend/Backend Protocol").

A write is a transaction that changed something and was committed, also one of a single statement. What a called
function changes (`SELECT f()`) is not seen: the server answers it as it answers a query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.faults.link import Watch, WatchedLink, Write

if TYPE_CHECKING:
    import asyncio

    from harness.faults.relay import Relay

_COUNTED = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_CHANGES = frozenset({"CREATE", "ALTER", "DROP", "TRUNCATE", "COMMENT", "GRANT", "REVOKE", "REFRESH", "CALL", "DO"})
_TABLE = re.compile(
    r"\b(insert\s+into|update|delete\s+from|merge\s+into|copy|truncate(?:\s+table)?"
    r"|(?:create|drop|alter)\s+table(?:\s+if(?:\s+not)?\s+exists)?)\s+(?:only\s+)?([\w.\"]+)",
    re.IGNORECASE,
)
_MAKES_A_TABLE = re.compile(r"\b(create|into)\b", re.IGNORECASE)
_KEPT = 4096
"""Bytes of a message that are looked at."""
_REFUSES_SSL = b"N"
_SSL_REQUESTS = frozenset({80877103, 80877104})
"""SSLRequest and GSSENCRequest (PostgreSQL manual, 54.7)."""


class PostgresLink(WatchedLink):
    """A connection to Postgres; a wish for TLS is answered with no, so that what follows can be read."""

    def __init__(self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(relay, reader, writer, PostgresWatch())
        self._begins = True

    async def _read_client(self) -> bytes:
        if not self._begins:
            return await super()._read_client()
        while int.from_bytes((head := await self.reader.readexactly(8))[4:], "big") in _SSL_REQUESTS:
            await self.to_client(_REFUSES_SSL)
        self._begins = False
        return head


class Frames:
    """Cuts a stream into messages, and keeps no more of each than is looked at.

    Args:
        untyped: the first message has no type byte, as a client's has.
    """

    def __init__(self, *, untyped: bool = False) -> None:
        self._buffer = bytearray()
        self._skip = 0
        self._untyped = untyped

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the type and the beginning of the content of each message that is known by now."""
        if self._skip:
            gone = min(self._skip, len(data))
            self._skip -= gone
            data = data[gone:]
        self._buffer += data
        while True:
            front = 0 if self._untyped else 1
            if len(self._buffer) < front + 4:
                return
            size = front + int.from_bytes(self._buffer[front : front + 4], "big")
            if len(self._buffer) < min(size, front + 4 + _KEPT):
                return
            kind = bytes(self._buffer[:front])
            content = bytes(self._buffer[front + 4 : min(size, front + 4 + _KEPT)])
            gone = min(size, len(self._buffer))
            self._skip = size - gone
            del self._buffer[:gone]
            self._untyped = False
            # the end of a long message may still be on its way; none of those that matter is long
            yield kind, content


class PostgresWatch(Watch):
    """Reads along from the startup message on."""

    def __init__(self) -> None:
        self._client = Frames(untyped=True)
        self._server = Frames()
        self._database = ""
        self._statement = ""
        self._changes: list[str] = []
        self._copies_in = False
        self._failed = False
        self._rolled_back = False

    def sent(self, data: bytes) -> None:
        for kind, content in self._client.feed(data):
            if kind == b"":
                words = content[4:].split(b"\0")
                named = dict(zip(words[::2], words[1::2], strict=False))
                self._database = named.get(b"database", named.get(b"user", b"")).decode(errors="replace")
            elif kind == b"Q":
                self._statement = content.decode(errors="replace")
            elif kind == b"P":
                self._statement = content.partition(b"\0")[2].decode(errors="replace")

    def received(self, data: bytes) -> Sequence[Write]:
        return [write for kind, content in self._server.feed(data) for write in self._message(kind, content)]

    def _message(self, kind: bytes, content: bytes) -> Iterator[Write]:
        if kind == b"C":
            self._complete(content.rstrip(b"\0").decode(errors="replace"))
        elif kind == b"G":
            self._copies_in = True
        elif kind == b"E":
            self._failed = True
        elif kind == b"Z":
            if content[:1] == b"I":
                if self._changes and not self._failed and not self._rolled_back:
                    yield "COMMIT", f"{self._database}: {', '.join(dict.fromkeys(self._changes))}"
                self._changes, self._rolled_back = [], False
            self._failed = False

    def _complete(self, tag: str) -> None:
        word, _, rest = tag.partition(" ")
        if word in ("COMMIT", "ROLLBACK"):
            # a ROLLBACK TO ends no transaction: what follows it says so
            self._rolled_back = word == "ROLLBACK"
            return
        self._rolled_back = False
        counted = word in _COUNTED or (word == "COPY" and self._copies_in)
        if word == "COPY":
            self._copies_in = False
        makes = word == "SELECT" and _MAKES_A_TABLE.search(self._statement) is not None
        if (counted and rest.split(" ")[-1] != "0") or word in _CHANGES or makes:
            self._changes.append(self._in_words("CREATE" if makes else word))

    def _in_words(self, word: str) -> str:
        for verb, table in _TABLE.findall(self._statement):
            if verb.upper().startswith(word):
                return f"{word} {table}"
        return word
