"""Messages that come twice, out of order, or again."""

from __future__ import annotations

from collections import Counter

from harness import faults


def read_on(kafka, group):
    """Read what the group has not committed yet, and commit it."""
    consumer = kafka.client.consumer(group, enable_auto_commit=False, enable_partition_eof=True)
    consumer.subscribe([kafka.physical("orders")])
    values = []
    while (message := consumer.poll(60)) is not None and message.error() is None:
        values.append(message.value().decode())
        consumer.commit(message, asynchronous=False)
    consumer.close()
    return values


def test_disorder_loses_nothing_and_doubles_some():
    messages = list(range(200))
    counts = Counter(faults.disordered(messages, duplicates=0.2, seed=1))
    assert counts.keys() == set(messages)
    assert 0 < counts.total() - len(messages) < 100
    assert set(counts.values()) == {1, 2}


def test_disorder_moves_no_message_farther_than_its_distance():
    moved = faults.disordered(list(range(200)), duplicates=0, distance=3)
    assert moved != sorted(moved)
    assert max(abs(place - message) for place, message in enumerate(moved)) <= 3


def test_disorder_is_the_same_for_the_same_seed():
    orders = [faults.disordered(list(range(50)), seed=seed) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_no_disorder_is_the_order_itself():
    assert faults.disordered([3, 1, 2], duplicates=0, distance=0) == [3, 1, 2]


def test_restarted_consumer_gets_its_last_messages_again(stores):
    kafka = stores.services["kafka"]
    kafka.client.produce("orders", [("k", str(number)) for number in range(5)])
    assert read_on(kafka, "loader") == ["0", "1", "2", "3", "4"]
    assert faults.rewind(kafka, "loader", "orders", by=2) == {0: 3}
    assert read_on(kafka, "loader") == ["3", "4"]


def test_rewinding_stops_at_the_beginning(stores):
    kafka = stores.services["kafka"]
    kafka.client.produce("orders", [("k", "one")])
    read_on(kafka, "loader")
    assert faults.rewind(kafka, "loader", "orders", by=99) == {0: 0}


def test_group_that_has_committed_nothing_stays_as_it_is(stores):
    assert faults.rewind(stores.services["kafka"], "nobody", "orders", by=1) == {}
