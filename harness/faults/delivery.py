"""What a consumer must bear: messages twice and out of order, and a restart that delivers the last ones again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from harness.services.kafka_clients import TIMEOUT, partitions_of

if TYPE_CHECKING:
    from harness.services.kafka import Kafka

M = TypeVar("M")


def disordered(messages: Sequence[M], *, duplicates: float = 0.2, distance: int = 3, seed: int = 0) -> list[M]:
    """Return messages as a source may deliver them that is sure of neither once nor in order.

    Args:
        messages: in their order; none is lost.
        duplicates: share of the messages that come twice, from 0 to 1.
        distance: how many places a message may be away from its own; 0 keeps the order.
        seed: the same seed gives the same order.
    """
    chance = random.Random(seed)  # noqa: S311 - a reproducible order, not a secret
    twice = [(place, message) for place, message in enumerate(messages) if chance.random() < duplicates]
    placed = [*enumerate(messages), *twice]
    moved = [(place + chance.uniform(0, distance), index) for index, (place, _) in enumerate(placed)]
    return [placed[index][1] for _, index in sorted(moved)]


def rewind(kafka: Kafka, group: str, topic: str, by: int) -> dict[int, int]:
    """Put a group's committed offsets back, as a consumer finds them that died before it committed its last messages.

    Args:
        kafka: of the namespace.
        group: logical name, without the namespace's prefix; it must have no member now.
        topic: logical name.
        by: how many messages of each partition are delivered again; at most all that were committed.

    Returns:
        Partition to its offset from now on, for those that the group had committed.
    """
    from confluent_kafka import TopicPartition

    name = kafka.physical(topic)
    consumer = kafka.client.consumer(group, enable_auto_commit=False)
    try:
        places = [TopicPartition(name, number) for number in partitions_of(consumer, name)]
        committed = [one for one in consumer.committed(places, timeout=TIMEOUT) if one.offset >= 0]
        again = []
        for one in committed:
            first, _ = consumer.get_watermark_offsets(one, timeout=TIMEOUT)
            again.append(TopicPartition(name, one.partition, max(first, one.offset - by)))
        if again:
            consumer.commit(offsets=again, asynchronous=False)
    finally:
        consumer.close()
    return {one.partition: one.offset for one in again}
