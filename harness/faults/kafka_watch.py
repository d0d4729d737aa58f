"""Finds acknowledged messages and offsets in a Kafka connection (Apache Kafka, "Protocol Guide").

A write is a batch that the broker acknowledged, a transaction that was committed, or offsets that were committed. How
many batches a producer makes of its messages is its own affair: it waits for `linger.ms`, and splits by partition.
What is sent with `acks=0` is never acknowledged, so it is no write point; nor is a batch inside a transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.faults.link import Watch, Write

_PRODUCE, _OFFSET_COMMIT, _END_TXN = 0, 8, 26
#: from this version on the messages have compact fields and tags ("flexible versions")
_FLEXIBLE = {_PRODUCE: 9, _OFFSET_COMMIT: 8, _END_TXN: 3}
_TOPIC_IDS = {_PRODUCE: 13, _OFFSET_COMMIT: 10}


class Cursor:
    """Reads the protocol's types, one after the other."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """Return the next bytes; raises EOFError where the message ends before."""
        part = bytes(self._data[self._at : self._at + size])
        if len(part) < size:
            raise EOFError
        self._at += size
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big", signed=True)

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def text(self, *, compact: bool) -> str | None:
        size = self.varint() - 1 if compact else self.number(2)
        return None if size < 0 else self.take(size).decode(errors="replace")

    def count(self, *, compact: bool) -> int:
        return self.varint() - 1 if compact else self.number(4)

    def tags(self) -> None:
        for _ in range(self.varint()):
            self.varint()
            self.take(self.varint())


@dataclass(frozen=True)
class Asked:
    """A request whose answer says whether something was written."""

    api: int
    version: int
    write: Write

    @property
    def flexible(self) -> bool:
        return self.version >= _FLEXIBLE[self.api]


class KafkaWatch(Watch):
    """Reads requests and answers, matched by their correlation id."""

    def __init__(self) -> None:
        self._requests = bytearray()
        self._answers = bytearray()
        self._asked: dict[int, Asked] = {}

    def sent(self, data: bytes) -> None:
        self._requests += data
        for frame in _frames(self._requests):
            try:
                self._request(Cursor(frame))
            except EOFError:
                continue  # a version that is not known here: it passes, and counts as no write

    def received(self, data: bytes) -> Sequence[Write]:
        self._answers += data
        return [write for frame in _frames(self._answers) for write in self._answer(frame)]

    def _request(self, cursor: Cursor) -> None:
        api, version, number = cursor.number(2), cursor.number(2), cursor.number(4)
        if api not in _FLEXIBLE:
            return
        flexible = version >= _FLEXIBLE[api]
        cursor.text(compact=False)
        if flexible:
            cursor.tags()
        write = _READERS[api](cursor, version, flexible)
        if write is not None:
            self._asked[number] = Asked(api, version, write)

    def _answer(self, frame: bytes) -> Iterator[Write]:
        cursor = Cursor(frame)
        asked = self._asked.pop(cursor.number(4), None)
        if asked is None:
            return
        try:
            if _accepted(cursor, asked):
                yield asked.write
        except EOFError:
            return


def _frames(buffer: bytearray) -> Iterator[bytes]:
    while len(buffer) >= 4:
        size = int.from_bytes(buffer[:4], "big")
        if len(buffer) < 4 + size:
            return
        frame = bytes(buffer[4 : 4 + size])
        del buffer[: 4 + size]
        yield frame


def _read_produce(cursor: Cursor, version: int, flexible: bool) -> Write | None:
    transaction = cursor.text(compact=flexible) if version >= 3 else None
    acks = cursor.number(2)
    cursor.number(4)
    if transaction is not None or acks == 0 or cursor.count(compact=flexible) < 1:
        return None
    if version >= _TOPIC_IDS[_PRODUCE]:
        return "PRODUCE", str(uuid.UUID(bytes=cursor.take(16)))
    return "PRODUCE", cursor.text(compact=flexible) or ""


def _read_offset_commit(cursor: Cursor, version: int, flexible: bool) -> Write | None:
    del version
    return "OFFSETS", cursor.text(compact=flexible) or ""


def _read_end_txn(cursor: Cursor, version: int, flexible: bool) -> Write | None:
    del version
    transaction = cursor.text(compact=flexible)
    cursor.take(10)
    return ("TRANSACTION", transaction or "") if cursor.take(1) == b"\1" else None


_READERS = {_PRODUCE: _read_produce, _OFFSET_COMMIT: _read_offset_commit, _END_TXN: _read_end_txn}


def _accepted(cursor: Cursor, asked: Asked) -> bool:
    """Read the first error code of an answer."""
    if asked.flexible:
        cursor.tags()
    if asked.api == _END_TXN:
        cursor.number(4)
        return cursor.number(2) == 0
    if asked.api == _OFFSET_COMMIT and asked.version >= 3:
        cursor.number(4)
    if cursor.count(compact=asked.flexible) < 1:
        return False
    if asked.version >= _TOPIC_IDS[asked.api]:
        cursor.take(16)
    else:
        cursor.text(compact=asked.flexible)
    if cursor.count(compact=asked.flexible) < 1:
        return False
    cursor.number(4)
    return cursor.number(2) == 0
