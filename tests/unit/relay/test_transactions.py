from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import create_autospec

import confluent_kafka
import pytest
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from jobs.common.topics import TopicReader
from jobs.relay import relay as relays
from jobs.relay.contract import Topics

TOPICS = Topics("in", "out", "dead")
CONFIG = {"bootstrap.servers": "nowhere:1", "group.id": "relay"}
OURS = relays.transaction
ERRORS = [KafkaException("refused"), ValueError("ours"), KeyboardInterrupt()]


@pytest.fixture
def producer(mocker):
    """The producer that the relay makes."""
    made = create_autospec(confluent_kafka.Producer, instance=True)
    mocker.patch("confluent_kafka.Producer", autospec=True, return_value=made)
    return made


@pytest.fixture
def arrive(mocker):
    """Says which batches the relay reads."""

    def run(*batches):
        reader = create_autospec(TopicReader, instance=True, consumer=create_autospec(Consumer, instance=True))
        reader.batches.return_value = iter(batches)
        mocker.patch.object(relays, "topic_reader", autospec=True).return_value.__enter__.return_value = reader
        return reader

    return run


def message(value=b"{}", *, offset=0, partition=0, headers=None):
    one = create_autospec(Message, instance=True)
    one.topic.return_value, one.partition.return_value, one.offset.return_value = "in", partition, offset
    one.value.return_value, one.key.return_value, one.headers.return_value = value, b"key", headers
    one.timestamp.return_value = 1, 1_767_225_600_000
    return one


def relay():
    return relays.relay(config=CONFIG, topics=TOPICS, handle=lambda value, attempt: b"relayed")


def names(mock) -> list[str]:
    return [call[0] for call in mock.mock_calls]


def test_a_batch_is_begun_sent_marked_as_read_and_committed_in_this_order(producer, arrive):
    reader = arrive([message(offset=4), message(offset=5)])
    done = relay()

    assert names(producer) == [
        "init_transactions",
        "begin_transaction",
        "produce",
        "produce",
        "send_offsets_to_transaction",
        "commit_transaction",
        "close",
    ]
    places, metadata, _ = producer.send_offsets_to_transaction.call_args.args
    assert [(one.topic, one.partition, one.offset) for one in places] == [("in", 0, 6)]
    assert metadata is reader.consumer.consumer_group_metadata.return_value
    assert done == relays.Relayed(read=2, relayed=2, dead=0, transactions=1)


def test_the_producer_is_open_before_the_offsets_are_looked_up(producer, arrive):
    reader = arrive()
    reader.committed.side_effect = lambda: names(producer).index("init_transactions")

    relay()

    reader.committed.assert_called_once_with()


def test_nothing_new_opens_no_transaction(producer, arrive):
    arrive()

    must_open_nothing(producer)


def test_an_empty_poll_that_is_taken_for_a_batch_is_found(producer, arrive):
    arrive([])

    with pytest.raises(AssertionError):
        must_open_nothing(producer)


def must_open_nothing(producer):
    relay()

    assert names(producer) == ["init_transactions", "close"]


def test_a_record_that_fails_does_not_end_the_loop(producer, arrive):
    arrive([message(b"bad"), message(b"good", offset=1)])

    def handle(value, attempt):
        return {b"good": b"relayed"}[value]

    done = relays.relay(config=CONFIG, topics=TOPICS, handle=handle)

    assert [call.args[0] for call in producer.produce.call_args_list] == ["dead", "out"]
    assert (done.relayed, done.dead) == (1, 1)


@contextmanager
def aborting_for_kafka_only(producer: Any) -> Iterator[None]:
    """The version that leaves the transaction open when the error is not the broker's."""
    producer.begin_transaction()
    try:
        yield
        producer.commit_transaction(30)
    except KafkaException:
        producer.abort_transaction(30)
        raise


@contextmanager
def aborting_twice(producer: Any) -> Iterator[None]:
    """The version that aborts where the error is met, and once more on the way out."""
    try:
        with OURS(producer):
            yield
    except BaseException:
        producer.abort_transaction(30)
        raise


@pytest.mark.parametrize("call", ["produce", "send_offsets_to_transaction", "commit_transaction"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_fails_in_a_transaction_aborts_it_once(producer, arrive, call, error):
    must_abort_once(producer, arrive, call, error)


@pytest.mark.parametrize("version", [aborting_for_kafka_only, aborting_twice])
def test_the_versions_that_leave_a_transaction_open_or_abort_it_twice_are_found(producer, arrive, monkeypatch, version):
    monkeypatch.setattr(relays, "transaction", version)

    with pytest.raises(AssertionError, match="abort_transaction"):
        must_abort_once(producer, arrive, "produce", ValueError("ours"))


def must_abort_once(producer, arrive, call, error):
    arrive([message()], [message(offset=1)])
    getattr(producer, call).side_effect = error
    with pytest.raises(type(error)):
        relay()

    producer.abort_transaction.assert_called_once()
    assert names(producer).count("begin_transaction") == 1


def test_an_abort_that_fails_does_not_hide_the_error(producer, arrive):
    arrive([message()])
    producer.produce.side_effect = ValueError("ours")
    producer.abort_transaction.side_effect = KafkaException("fenced")

    with pytest.raises(ValueError, match="ours") as raised:
        relay()

    assert "could not be aborted" in raised.value.__notes__[0]


def of_the_last_message(batch: list[Any]) -> list[TopicPartition]:
    """The version that asks for one position only."""
    last = batch[-1]
    return [TopicPartition(last.topic(), last.partition(), last.offset() + 1)]


def test_the_next_offset_is_that_of_each_partition():
    must_follow_all_partitions(relays.following)
    with pytest.raises(AssertionError):
        must_follow_all_partitions(of_the_last_message)


def must_follow_all_partitions(following):
    batch = [message(offset=7), message(offset=3, partition=1), message(offset=6)]

    assert [(one.partition, one.offset) for one in following(batch)] == [(0, 8), (1, 4)]
