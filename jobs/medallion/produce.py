"""Hands a day's file of the order log to Kafka, each line once, however often it is asked to.

A producer's idempotence ends with the producer. What outlives it is the topic: every message carries the id of its
line, `2026-01-01/17`, and only lines that the topic does not hold yet are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from jobs.common.topics import topic_reader

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

ID_HEADER = "event-id"

# must be named, and is no more than a name: nothing joins the group, and nothing is committed
_GROUP = "orders-medallion-produce"


class ProduceError(RuntimeError):
    """A message was not acknowledged."""


@dataclass(frozen=True)
class Held:
    """What a topic holds: the numbers of the lines of one day, and all committed messages of any day."""

    lines: frozenset[int]
    records: int


@dataclass(frozen=True)
class Produced:
    """What was done, and what the topic holds since.

    Args:
        offered: lines in the day's file.
        sent: those that the topic lacked.
        records: committed messages in the topic.
        ranges: partition to its first offset and the one after its last.
    """

    offered: int
    sent: int
    records: int
    ranges: dict[str, list[int]]


def produce(
    body: Iterable[bytes], *, day: date, topic: str, config: Mapping[str, Any], within: float = 300
) -> Produced:
    """Send the lines of a day's file that the topic lacks.

    Args:
        body: lines `key<TAB>payload`, without their ends.
        day: the day they belong to; part of each message's id.
        config: librdkafka's settings (bootstrap.servers and such).
        within: seconds for reading the topic, and as many for sending.

    Raises:
        TopicError: the topic could not be read to its end in time.
        ProduceError: the broker refused a message, or was silent. Calling again sends what is still missing.
    """
    held = read_topic(topic, day=day, config=config, within=within)
    offered = sent = 0
    with _sender(topic, config, within) as send:
        for number, line in enumerate(body):
            offered += 1
            if number not in held.lines:
                sent += 1
                send(f"{day}/{number}", line)
    return Produced(offered, sent, held.records + sent, topic_ranges(topic, config=config))


def read_topic(topic: str, *, day: date, config: Mapping[str, Any], within: float) -> Held:
    """Read a topic to its end, and return what it holds; aborted messages do not count."""
    found: set[int] = set()
    records = 0
    with topic_reader(topic, config, group=_GROUP) as reader:
        for batch in reader.batches(within=within):
            records += len(batch)
            for message in batch:
                found.update(_line_numbers(message, day))
    return Held(frozenset(found), records)


def topic_ranges(topic: str, *, config: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return each partition's first offset and the one after its last; partitions as text, as JSON wants keys."""
    with topic_reader(topic, config, group=_GROUP) as reader:
        return {str(part): list(offsets) for part, offsets in reader.ranges.items()}


def _line_numbers(message: Message, day: date) -> Iterator[int]:
    """Yield which line of that day's file a message is; nothing for another day's, or for a message of someone else."""
    for name, value in message.headers() or ():
        of, _, number = (value or b"").decode(errors="replace").partition("/")
        if name == ID_HEADER and of == day.isoformat() and number.isdigit():
            yield int(number)


@contextmanager
def _sender(topic: str, config: Mapping[str, Any], within: float) -> Iterator[Callable[[str, bytes], None]]:
    """Lend a function that sends a line under an id; when left, every line was acknowledged, or ProduceError is raised.

    The partitioner is the one of the Java clients, so that a key's messages stay in order beside theirs.
    """
    from confluent_kafka import Producer

    # acks and ordering come with idempotence; a message is given up within the time that the flush below waits
    settings = {"enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 20}
    producer = Producer({**config, **settings, "delivery.timeout.ms": int(within * 1000)})
    refused: list[str] = []

    def acknowledged(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            refused.append(error.str())

    def send(event_id: str, line: bytes) -> None:
        key, _, payload = line.partition(b"\t")
        headers = [(ID_HEADER, event_id.encode())]
        try:
            producer.produce(topic, payload, key, headers=headers, on_delivery=acknowledged)
        except BufferError:  # the local queue is full: let the broker take some, then this one
            producer.poll(within)
            producer.produce(topic, payload, key, headers=headers, on_delivery=acknowledged)
        producer.poll(0)

    yield send
    left = producer.flush(within)
    if left or refused:
        raise ProduceError(f"{topic}: {left} messages not acknowledged, {len(refused)} refused: {refused[:3]}")
