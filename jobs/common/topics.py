"""How a job reads a Kafka topic: committed messages only, from a known place, up to its end at the start."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

#: seconds for one request to the broker
REQUEST = 30.0


class TopicError(RuntimeError):
    """A topic is not there, or could not be read to its end."""


@dataclass(frozen=True)
class TopicReader:
    """A consumer on all partitions of one topic; nothing joins the group, so no dead member has to be waited out.

    Args:
        ranges: partition to its first offset and the one after its last, when the reader was made.
    """

    consumer: Consumer
    topic: str
    ranges: Mapping[int, tuple[int, int]]

    def committed(self) -> dict[int, int]:
        """Return where the group goes on in each partition; the first offset where it has committed nothing."""
        from confluent_kafka import TopicPartition

        asked = [TopicPartition(self.topic, part) for part in self.ranges]
        found = {place.partition: place.offset for place in self.consumer.committed(asked, timeout=REQUEST)}
        return {part: max(found[part], first) for part, (first, _) in self.ranges.items()}

    def batches(
        self, starts: Mapping[int, int] | None = None, *, size: int = 10_000, within: float
    ) -> Iterator[list[Message]]:
        """Yield messages up to the end that the topic had when the reader was made; never an empty batch.

        All batches but the last are full.

        A message that comes meanwhile is left to the next reader: a job that writes to the topic it reads would never
        end. The end is an offset, or the broker's word (PARTITION_EOF): behind the last message there may be
        transaction markers, which no consumer is shown.

        Args:
            starts: partition to its first offset to read; all from the beginning when not given.
            size: messages in a batch, at most.
            within: seconds for all batches together, whatever is done with them in between.

        Raises:
            TopicError: the end was not reached in time, or the broker refused.
        """
        from confluent_kafka import TopicPartition

        deadline = time.monotonic() + within
        first = starts or {part: low for part, (low, _) in self.ranges.items()}
        waiting = {part for part, (_, end) in self.ranges.items() if first[part] < end}
        self.consumer.assign([TopicPartition(self.topic, part, first[part]) for part in sorted(waiting)])
        found: list[Message] = []
        while waiting:
            if time.monotonic() > deadline:
                raise TopicError(f"{self.topic}: partitions {sorted(waiting)} not read to their end in {within:.0f} s")
            got = self.consumer.consume(size - len(found), timeout=0.5)
            found += [one for one in got if self._is_ours(one, waiting)]
            if len(found) == size:
                yield found
                found = []
        if found:
            yield found

    def _is_ours(self, message: Message, waiting: set[int]) -> bool:
        """Tell whether it is a message from before the end, and note when a partition has none left."""
        from confluent_kafka import KafkaError

        error, part = message.error(), message.partition()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            if not error.retriable():
                raise TopicError(f"{self.topic}: {error.str()}")
            return False
        end = self.ranges[part][1]
        if error is not None or message.offset() >= end - 1:
            waiting.discard(part)
        return error is None and message.offset() < end


@contextmanager
def topic_reader(topic: str, config: Mapping[str, Any], *, group: str, patience: float = 0.0) -> Iterator[TopicReader]:
    """Lend a reader of a topic.

    Args:
        config: librdkafka's settings (bootstrap.servers and such).
        group: whose committed offsets are meant.
        patience: seconds to wait for transactions that are open. A broker marks the end of one in the topic only after
            it has answered for the commit, so who must see what was just committed has to wait for the mark.

    Raises:
        TopicError: there is no such topic.
    """
    from confluent_kafka import Consumer

    # the defaults of all three are the other way round, and each loses or doubles messages
    others = {"enable.auto.commit": False, "isolation.level": "read_committed", "enable.partition.eof": True}
    settings = {**config, **others, "group.id": group}
    consumer = Consumer(settings)
    try:
        about = consumer.list_topics(topic, timeout=REQUEST).topics[topic]
        if about.error is not None:
            raise TopicError(f"{topic}: {about.error.str()}")
        parts = sorted(about.partitions)
        if patience:
            _await_marks(consumer, settings, topic, parts, patience)
        yield TopicReader(consumer, topic, {part: _range(consumer, topic, part) for part in parts})
    finally:
        consumer.close()


def _await_marks(
    consumer: Consumer, settings: Mapping[str, Any], topic: str, parts: Sequence[int], patience: float
) -> None:
    """Wait until what can be read reaches the ends that the topic's log has now, or for so many seconds."""
    from confluent_kafka import Consumer
    from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

    with closing(Consumer({**settings, "isolation.level": "read_uncommitted"})) as plain:
        ends = {part: _range(plain, topic, part)[1] for part in parts}
    patiently = Retrying(
        retry=retry_if_result(bool),
        stop=stop_after_delay(patience),
        wait=wait_fixed(0.05),
        retry_error_callback=lambda state: None,  # whose transaction that is, and whether it ends, is not ours to know
    )
    patiently(lambda: any(_range(consumer, topic, part)[1] < end for part, end in ends.items()))


def _range(consumer: Consumer, topic: str, part: int) -> tuple[int, int]:
    """Return a partition's first offset and the one after its last; a broker that is new to it is asked again."""
    from confluent_kafka import TopicPartition
    from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

    for attempt in Retrying(
        retry=retry_if_exception(_is_moving), stop=stop_after_delay(REQUEST), wait=wait_fixed(0.1), reraise=True
    ):
        with attempt:
            found: tuple[int, int] = consumer.get_watermark_offsets(TopicPartition(topic, part), timeout=REQUEST)
    return found


def _is_moving(error: BaseException) -> bool:
    """Tell whether a partition has no leader at the moment, as one that was just made."""
    from confluent_kafka import KafkaError, KafkaException

    moving = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
    return isinstance(error, KafkaException) and error.args[0].code() in moving
