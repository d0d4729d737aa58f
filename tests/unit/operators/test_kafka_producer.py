from __future__ import annotations

import json
from unittest.mock import call, create_autospec

import pytest
from airflow.providers.apache.kafka.hooks.produce import KafkaProducerHook
from airflow.providers.apache.kafka.operators.produce import ProduceToTopicOperator
from confluent_kafka import Producer

from harness.unit import run_operator


def orders(day: str, count: int):
    for number in range(count):
        yield f"order-{number}", json.dumps({"day": day})


@pytest.fixture
def produce() -> ProduceToTopicOperator:
    return ProduceToTopicOperator(
        task_id="produce",
        topic="orders",
        producer_function=orders,
        producer_function_args=["{{ ds }}"],
        producer_function_kwargs={"count": 2},
        delivery_callback=None,
    )


@pytest.fixture
def producer(mock_hook):
    made = create_autospec(Producer, instance=True)
    mock_hook(KafkaProducerHook, get_producer=made)
    return made


def test_every_message_is_produced_and_flushed(produce, producer, task_context):
    run_operator(produce, task_context(produce, "2026-01-02"))
    sent = [(one.args, one.kwargs["key"], one.kwargs["value"]) for one in producer.produce.call_args_list]
    assert sent == [(("orders",), f"order-{number}", '{"day": "2026-01-02"}') for number in range(2)]
    assert producer.mock_calls[-1] == call.flush()


def test_method_that_producers_do_not_have_is_refused(produce, producer, task_context, monkeypatch):
    monkeypatch.setattr(
        ProduceToTopicOperator, "execute", lambda self, context: KafkaProducerHook().get_producer().send("orders")
    )
    with pytest.raises(AttributeError, match="send"):
        run_operator(produce, task_context(produce))
    producer.produce.assert_not_called()


def test_hook_is_made_for_the_connection_of_the_operator(produce, mock_hook, task_context):
    mock_hook(KafkaProducerHook, conn_id="events", get_producer=create_autospec(Producer, instance=True))
    with pytest.raises(AssertionError, match="made for connection 'kafka_default', and not for 'events'"):
        run_operator(produce, task_context(produce))
