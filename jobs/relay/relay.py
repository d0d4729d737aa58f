"""Reads, processes and writes in transactions: what a batch becomes, and that it was read, are committed as one.

A crash at any point leaves a transaction that was committed, or one that no reader of committed messages ever sees and
whose offsets did not move. The next instance with the same transactional id fences the one before it, and goes on from
the offsets that were committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.common.topics import REQUEST, topic_reader
from jobs.relay.contract import ATTEMPTS, SOURCE_HEADER, Handle, InvalidRecord, ServiceAway, TemporaryError, Topics
from jobs.relay.letters import Letter

if TYPE_CHECKING:
    from confluent_kafka import Message, Producer, TopicPartition


@dataclass(frozen=True)
class Relayed:
    """What a run did.

    Args:
        read: records that were worked off.
        relayed: those that went on.
        dead: those that were put aside.
        transactions: that were committed.
    """

    read: int = 0
    relayed: int = 0
    dead: int = 0
    transactions: int = 0


@dataclass(frozen=True)
class Bounds:
    """How much goes into a transaction, at most, and how many seconds a run may take."""

    records: int = 500
    seconds: float = 300


@dataclass(frozen=True)
class Outgoing:
    """A message to send; `timestamp` in milliseconds since 1970 UTC."""

    topic: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes | None]]
    timestamp: int


def relay(
    *,
    config: Mapping[str, Any],
    topics: Topics,
    handle: Handle,
    replay: bool = False,
    bounds: Bounds = Bounds(),
) -> Relayed:
    """Work off what is new, and return the counts.

    Args:
        config: librdkafka's settings; its `group.id` is the name under which offsets and transactions are kept.
        handle: makes the relayed value of a record.
        replay: work off dead letters in the place of new records. A letter that fails again is put aside again.
        bounds: how much at once, and how long.

    Raises:
        TopicError: the topic's end was not reached in time. What was committed stays; calling again does the rest.
        ServiceAway: nobody answered what `handle` asks. The batch stays for the next call.
        KafkaException: the broker refused, or another instance has taken over.
    """
    source = topics.dead if replay else topics.source
    done = Relayed()
    # in this order: opening the producer ends what a dead instance left open, and only then offsets are final
    with transactional(config) as producer, topic_reader(source, config, group=group_of(config, replay)) as reader:
        for batch in reader.batches(reader.committed(), size=bounds.records, within=bounds.seconds):
            # outside of the transaction, whose time is limited: handling may wait for others
            outgoing = [settle(message, handle, topics, replay=replay) for message in batch]
            with transaction(producer):
                for one in outgoing:
                    producer.produce(one.topic, one.value, one.key, headers=one.headers, timestamp=one.timestamp)
                metadata = reader.consumer.consumer_group_metadata()
                producer.send_offsets_to_transaction(following(batch), metadata, REQUEST)
            dead = sum(one.topic == topics.dead for one in outgoing)
            done = Relayed(
                done.read + len(batch),
                done.relayed + len(batch) - dead,
                done.dead + dead,
                done.transactions + 1,
            )
    return done


def group_of(config: Mapping[str, Any], replay: bool) -> str:
    """Return the group whose offsets say what was worked off: new records and dead letters have one each."""
    return f"{config['group.id']}.replay" if replay else str(config["group.id"])


@contextmanager
def transactional(config: Mapping[str, Any]) -> Iterator[Producer]:
    """Lend a producer after whatever an earlier instance left open was aborted, and that instance fenced."""
    from confluent_kafka import Producer

    broker = {name: value for name, value in config.items() if name != "group.id"}
    settings = {"transactional.id": config["group.id"], "partitioner": "murmur2_random", "linger.ms": 20}
    producer = Producer({**broker, **settings})
    producer.init_transactions(REQUEST)
    yield producer
    # not after an error: closing would wait for the broker that may be its cause, and can hide it
    producer.close()


@contextmanager
def transaction(producer: Producer) -> Iterator[None]:
    """Commit what is sent meanwhile, or abort it, whatever the error is: an interrupt is one too.

    Committing sends what is still queued, and fails when a message was refused. After an abort the consumer stands
    behind the records that were not relayed, so the error goes on, and the next try begins at the committed offsets.
    """
    producer.begin_transaction()
    try:
        yield
        producer.commit_transaction(REQUEST)
    except BaseException as error:
        _abort(producer, error)
        raise


def _abort(producer: Producer, reason: BaseException) -> None:
    """Abort; where even that fails, the next instance does it, and the first error is the one to report."""
    from confluent_kafka import KafkaException

    try:
        producer.abort_transaction(REQUEST)
    except KafkaException as error:
        reason.add_note(f"the transaction could not be aborted: {error}")


def settle(message: Message, handle: Handle, topics: Topics, *, replay: bool) -> Outgoing:
    """Return what a record becomes: the relayed event under the same key, or a dead letter."""
    headers = dict(message.headers() or ())
    value, tried = message.value() or b"", 0
    _, timestamp = message.timestamp()
    if replay:
        letter = Letter.from_json(value)
        value, tried, timestamp = letter.original, letter.retry_count, letter.timestamp
    else:
        headers[SOURCE_HEADER] = f"{message.partition()}/{message.offset()}".encode()
    relayed = attempt(value, handle, tried=tried, timestamp=timestamp)
    is_dead = isinstance(relayed, Letter)
    return Outgoing(
        topic=topics.dead if is_dead else topics.clean,
        key=message.key(),
        value=relayed.to_json() if isinstance(relayed, Letter) else relayed,
        headers=list(headers.items()),
        timestamp=timestamp,
    )


def attempt(value: bytes, handle: Handle, *, tried: int, timestamp: int, pause: float = 0.01) -> bytes | Letter:
    """Try a record until it is handled, is found to be invalid, or has been tried `ATTEMPTS` times in this run.

    Args:
        tried: how often it was tried by earlier runs.
        timestamp: of the record, milliseconds since 1970 UTC.
        pause: seconds after the first attempt; twice as long after each further one.

    Raises:
        ServiceAway: nobody answered, `ATTEMPTS` times.
    """
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

    tries = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=pause, max=1),
        retry=retry_if_exception_type(TemporaryError),
        reraise=True,
    )
    made = tried
    try:
        for one in tries:
            with one:
                made = tried + one.retry_state.attempt_number
                return handle(value, made)
    except ServiceAway:
        raise
    except (InvalidRecord, TemporaryError) as error:
        return Letter(value, type(error).__name__, str(error), made, timestamp)
    # one record that nobody thought of must not keep all that are behind it
    except Exception as error:  # noqa: BLE001
        return Letter(value, type(error).__name__, str(error), made, timestamp, context="unforeseen")
    raise AssertionError("tenacity either returns or raises")


def following(batch: Iterable[Message]) -> list[TopicPartition]:
    """Return the offset after the last record of each partition."""
    from confluent_kafka import TopicPartition

    last: dict[tuple[str, int], int] = {}
    for message in batch:
        place = message.topic(), message.partition()
        last[place] = max(last.get(place, -1), message.offset())
    return [TopicPartition(topic, part, offset + 1) for (topic, part), offset in sorted(last.items())]
