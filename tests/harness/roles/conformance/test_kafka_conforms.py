from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from harness.environment.spec import ConnectionSpec
from harness.errors import ServiceError
from harness.state import diff


def values(service: Any, topic: str = "orders") -> list[bytes]:
    return [message.value for message in service.client.read(topic)]


def test_the_client_reads_what_it_wrote(kafka: Any) -> None:
    kafka.client.produce("orders", [("k", "one"), ("k", "two"), ("k", None)])
    # one key is one partition, and a partition keeps its order
    assert values(kafka) == [b"one", b"two", None]


def test_airflows_hook_works_through_the_connection(kafka: Any, airflow_connection: Any) -> None:
    from airflow.providers.apache.kafka.hooks.produce import KafkaProducerHook

    name = airflow_connection(kafka.connection(ConnectionSpec(service="kafka")))
    producer = KafkaProducerHook(name).get_producer()
    producer.produce(kafka.physical("orders"), value=b"from a hook")
    assert producer.flush(60) == 0
    assert values(kafka) == [b"from a hook"]


def test_ten_thousand_messages_are_read_to_the_end(kafka: Any) -> None:
    sent = {f"value {number}".encode() for number in range(10_000)}
    kafka.client.produce("orders", ((value, value) for value in sent))
    read = values(kafka)
    assert len(read) == 10_000
    assert set(read) == sent


def test_an_aborted_transaction_is_not_read(kafka: Any) -> None:
    producer = kafka.client.producer(transactional_id="conformance")
    producer.init_transactions(60)
    for value, finish in ((b"kept", producer.commit_transaction), (b"dropped", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(kafka.physical("orders"), value=value, partition=0)
        producer.flush(60)
        finish(60)
    assert values(kafka) == [b"kept"]


def test_a_group_goes_on_where_it_committed(kafka: Any) -> None:
    kafka.client.produce("events", [("k", "first"), ("k", "second")])
    read = []
    for _ in range(2):
        with closing(kafka.client.consumer("loader", enable_auto_commit=False)) as consumer:
            consumer.subscribe([kafka.physical("events")])
            (message,) = consumer.consume(1, timeout=60)
            read.append(message.value())
            consumer.commit(message, asynchronous=False)
    assert read == [b"first", b"second"]


def test_namespaces_do_not_see_each_other(opened: Any) -> None:
    mine, other = opened("kafka"), opened("kafka")
    mine.client.produce("orders", [("k", "mine")])
    assert values(other) == []


def test_closing_a_namespace_deletes_its_topics_and_no_others(opened: Any) -> None:
    mine, other = opened("kafka"), opened("kafka")
    mine.close()
    left = set(other.client.admin().list_topics(timeout=60).topics)
    assert not left & set(mine.slice.names["topic"].values())
    assert set(other.slice.names["topic"].values()) <= left


def test_equal_messages_make_equal_snapshots_and_a_changed_one_shows(opened: Any) -> None:
    one, two, three = opened("kafka"), opened("kafka"), opened("kafka")
    one.client.produce("orders", [("k", "same")])
    two.client.produce("orders", [("k", "same")])
    three.client.produce("orders", [("k", "else")])
    assert diff(one.snapshot(), two.snapshot()) == []
    assert [change.name for change in diff(one.snapshot(), three.snapshot())] == ["orders"]


def test_a_topic_that_nobody_declared_is_refused(kafka: Any) -> None:
    with pytest.raises(ServiceError, match="declare it"):
        kafka.client.read("nowhere")
