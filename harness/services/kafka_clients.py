"""The field's Kafka clients, preconfigured for one slice of a broker, and two helpers that finish what they begin."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import ServiceError

_LOG = logging.getLogger(__name__)

#: seconds for one request to a broker on this host
TIMEOUT = 30.0

#: seconds for the marks of a transaction: the broker writes them into the topics after it has answered for the commit
MARKS = 3.0

#: A broker that is away for a moment is asked again at once: librdkafka's own pauses grow to 10 s.
_EAGER = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "socket.timeout.ms": 10_000}


@dataclass(frozen=True)
class Message:
    """One message of a topic.

    Args:
        value: None is a tombstone.
        key: decides the partition when none is given.
        headers: in their order; a name may occur more than once.
        partition: where it is; for a message to send, None lets the producer choose.
        offset: where it was found; ignored when it is sent.
        timestamp: milliseconds since 1970 UTC, create time; None is "now".
    """

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int | None = None
    offset: int | None = None
    timestamp: int | None = None


class KafkaClients:
    """Makes confluent_kafka clients for one broker; `topics` are logical names in all helpers.

    Args:
        servers: bootstrap servers.
        physical: logical topic name -> name at the broker.
        group_prefix: goes before every consumer group's name.
    """

    def __init__(self, servers: str, physical: Callable[[str], str] = str, group_prefix: str = "") -> None:
        self.servers = servers
        self._physical = physical
        self._group_prefix = group_prefix

    def producer(self, **conf: Any) -> Any:
        """Return a `confluent_kafka.Producer`; `enable_idempotence=True` sets `enable.idempotence`."""
        from confluent_kafka import Producer

        return Producer(self._conf(conf), logger=_LOG)

    def consumer(self, group: str, **conf: Any) -> Any:
        """Return a `confluent_kafka.Consumer` of a group of this slice; it starts at the earliest offset."""
        from confluent_kafka import Consumer

        base = {"group.id": self._group_prefix + group, "auto.offset.reset": "earliest"}
        return Consumer(base | self._conf(conf), logger=_LOG)

    def admin(self) -> Any:
        """Return a `confluent_kafka.admin.AdminClient`; it sees the whole broker under physical names."""
        from confluent_kafka.admin import AdminClient

        return AdminClient(self._conf({}), logger=_LOG)

    def produce(self, topic: str, messages: Iterable[Message | tuple[bytes | str | None, bytes | str | None]]) -> int:
        """Send messages, `Message` or (key, value), and return how many; all are acknowledged when it returns.

        Raises:
            ServiceError: the broker refused one, or acknowledged none of those left for 30 s.
        """
        producer = self.producer(enable_idempotence=True, linger_ms=5)
        refused: list[str] = []

        def acknowledged(error: Any, _message: Any) -> None:
            if error is not None:
                refused.append(str(error))

        sent = 0
        for message in messages:
            self._send(producer, self._physical(topic), _message(message), acknowledged)
            sent += 1
        before, left = math.inf, len(producer)
        while 0 < left < before:  # as long as some are acknowledged, all take as long as they take
            before, left = left, producer.flush(TIMEOUT)
        if refused or left:
            seen = refused[0] if refused else f"{left} of {sent} messages not acknowledged after {TIMEOUT:.0f} s"
            raise ServiceError(f"cannot produce to topic {topic!r}: {seen}", role="kafka")
        return sent

    def read(self, topic: str, patience: float = TIMEOUT) -> list[Message]:
        """Return all committed messages of a topic, by partition and offset, up to its end at this moment.

        Args:
            topic: logical name.
            patience: seconds within which a message, or the end of a partition, must come; all may take longer.

        Raises:
            ServiceError: there is no such topic, or nothing more came before its end.
        """
        return read_topic(self, self._physical(topic), patience)

    def _send(self, producer: Any, topic: str, message: Message, acknowledged: Callable[[Any, Any], None]) -> None:
        place = {} if message.partition is None else {"partition": message.partition}
        when = {} if message.timestamp is None else {"timestamp": message.timestamp}
        until = time.monotonic() + TIMEOUT
        while True:
            try:
                producer.produce(
                    topic,
                    value=message.value,
                    key=message.key,
                    headers=list(message.headers),
                    on_delivery=acknowledged,
                    **place,
                    **when,
                )
            except BufferError:  # the local queue is full: let it drain
                if time.monotonic() > until:
                    raise
                producer.poll(0.1)
            else:
                producer.poll(0)
                return

    def _conf(self, conf: dict[str, Any]) -> dict[str, Any]:
        # callbacks and log_level are the settings of librdkafka that are written with an underscore
        given = {
            key if key.endswith("_cb") or key == "log_level" else key.replace("_", "."): value
            for key, value in conf.items()
        }
        return {"bootstrap.servers": self.servers, **_EAGER, **given}


def read_topic(clients: KafkaClients, topic: str, patience: float = TIMEOUT) -> list[Message]:
    """Return all committed messages of a topic under its physical name; see `KafkaClients.read`."""
    from confluent_kafka import OFFSET_BEGINNING, TopicPartition

    consumer = clients.consumer(
        "harness-reader",
        enable_auto_commit=False,
        isolation_level="read_committed",
        enable_partition_eof=True,
        fetch_wait_max_ms=10,  # an empty answer tells the end: do not let the broker wait for more
    )
    try:
        partitions = partitions_of(consumer, topic, patience)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        found = _until_all_ended(consumer, topic, set(partitions), patience)
    finally:
        consumer.close()
    return sorted(found, key=lambda message: (message.partition, message.offset))


def partitions_of(client: Any, topic: str, deadline: float = TIMEOUT) -> Sequence[int]:
    """Return the numbers of a topic's partitions, sorted; raises ServiceError when there is no such topic."""
    described = client.list_topics(topic, timeout=deadline).topics.get(topic)
    if described is None or described.error is not None:
        reason = described.error.str() if described else "the broker does not know it"
        raise ServiceError(f"topic {topic!r}: {reason}", role="kafka", hint="declare it under services.kafka.topics")
    return sorted(described.partitions)


def _until_all_ended(consumer: Any, topic: str, waiting: set[int], patience: float) -> list[Message]:
    """Read on until each partition has said that it ends.

    A partition that grew meanwhile is not read on: its end at the first EOF is what counts. Yet an EOF before the last
    stable offset has caught up with the log's end may be that of a commit in progress, and is given `MARKS` seconds.
    """
    from confluent_kafka import KafkaError

    found: list[Message] = []
    unstable: dict[int, float] = {}
    until = time.monotonic() + patience
    while waiting := {part for part in waiting if time.monotonic() < unstable.get(part, math.inf)}:
        if time.monotonic() > until:
            raise ServiceError(
                f"topic {topic!r}: the end of partitions {sorted(waiting)} was not reached, and nothing came for "
                f"{patience:g} s",
                role="kafka",
            )
        for raw in consumer.consume(1000, timeout=0.05):
            error, part = raw.error(), raw.partition()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                if not error.retriable():
                    raise ServiceError(f"topic {topic!r}: {error.str()}", role="kafka")
                continue
            if part not in waiting:
                continue
            until = time.monotonic() + patience
            if error is None:
                found.append(_received(raw))
            elif raw.offset() < _log_end(consumer, topic, part):
                unstable.setdefault(part, time.monotonic() + MARKS)
            else:
                waiting.discard(part)
    return found


def _log_end(consumer: Any, topic: str, partition: int) -> int:
    """Return the log's end as the last answer to a fetch told it, open transactions included."""
    from confluent_kafka import TopicPartition

    return int(consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)[1])


def _received(raw: Any) -> Message:
    headers = tuple((name, value) for name, value in raw.headers() or ())
    return Message(raw.value(), raw.key(), headers, raw.partition(), raw.offset(), raw.timestamp()[1])


def _message(given: Message | tuple[bytes | str | None, bytes | str | None]) -> Message:
    if isinstance(given, Message):
        return given
    key, value = (part.encode() if isinstance(part, str) else part for part in given)
    return Message(value, key)
