from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.engines.jars import cache_dir
from harness.environment.spec import ConnectionSpec, KafkaSpec, TopicSpec
from harness.errors import ServiceError
from harness.services.kafka import Kafka
from harness.services.kafka_clients import KafkaClients, Message
from harness.session.fleet import Fleet

SPEC = KafkaSpec(topics={"orders": TopicSpec(partitions=3), "events": TopicSpec(config={"cleanup.policy": "compact"})})


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[Kafka]:
    folder = tmp_path_factory.mktemp("kafka")
    specs = {"kafka": ("kafka", SPEC.model_copy(update={"engine": engine}))}
    session = f"roles-kafka-{os.getpid()}"
    fleet = Fleet(specs, folder=folder, cache=cache_dir(), project=folder, session=session)
    fleet.start(lambda event: None)
    for service in fleet.services.values():
        service.prepare()
    try:
        yield fleet.services["kafka"]  # type: ignore[misc]
    finally:
        fleet.stop()


@contextmanager
def opened(broker: Kafka, prefix: str) -> Iterator[Kafka]:
    service = Kafka(broker.name, SPEC, broker.endpoint, broker.open(prefix))
    try:
        yield service
    finally:
        service.close()


@pytest.fixture
def kafka(broker: Kafka) -> Iterator[Kafka]:
    with opened(broker, "a1") as service:
        yield service


def topics(broker: Kafka) -> set[str]:
    return set(broker.client.admin().list_topics(timeout=60).topics)


def test_messages_come_back_as_they_were_sent(kafka: Kafka) -> None:
    sent = [
        Message(b"one", b"k", (("trace", b"1"), ("trace", None)), partition=2, timestamp=1_700_000_000_000),
        Message(None, b"k", partition=0),
        Message(b"", None, partition=0),
    ]
    assert kafka.client.produce("orders", sent) == 3
    got = kafka.client.read("orders")
    assert [(m.partition, m.offset, m.key, m.value, m.headers) for m in got] == [
        (0, 0, b"k", None, ()),
        (0, 1, None, b"", ()),
        (2, 0, b"k", b"one", (("trace", b"1"), ("trace", None))),
    ]
    assert got[2].timestamp == 1_700_000_000_000


def test_ten_thousand_messages_are_read_to_the_end(kafka: Kafka) -> None:
    kafka.client.produce("orders", ((str(number), f"value {number}") for number in range(10_000)))
    assert {m.value for m in kafka.client.read("orders")} == {f"value {number}".encode() for number in range(10_000)}


def test_a_topic_is_read_for_as_long_as_messages_come(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    class Trickling:
        """A consumer that gets fifty messages at a time, and a second older with them."""

        def __init__(self, real: Any) -> None:
            self._real = real

        def consume(self, _count: int, timeout: float) -> list[Any]:
            nonlocal now
            found: list[Any] = self._real.consume(50, timeout)
            now += bool(found)
            return found

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    kafka.client.produce("orders", ((None, str(number)) for number in range(5_000)))
    plain = KafkaClients.consumer
    monkeypatch.setattr(KafkaClients, "consumer", lambda *args, **conf: Trickling(plain(*args, **conf)))
    # the module's own `time`, not `time.monotonic`: the clock of everybody else in this process goes on
    monkeypatch.setattr("harness.services.kafka_clients.time", SimpleNamespace(monotonic=lambda: now))
    assert len(kafka.client.read("orders", patience=30)) == 5_000
    assert now >= 100


def test_an_empty_topic_is_read_as_empty(kafka: Kafka) -> None:
    assert kafka.client.read("orders") == []


def test_messages_of_an_aborted_transaction_are_not_read(kafka: Kafka) -> None:
    producer = kafka.client.producer(transactional_id="t1")
    producer.init_transactions(60)
    for value, finish in ((b"kept", producer.commit_transaction), (b"dropped", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(kafka.physical("orders"), value=value, partition=0)
        producer.flush(60)
        finish(60)
    assert [m.value for m in kafka.client.read("orders")] == [b"kept"]


def test_a_commit_is_read_when_it_has_been_marked_in_the_topic(kafka: Kafka) -> None:
    producer = kafka.client.producer(transactional_id="t2")
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(kafka.physical("orders"), value=b"late", partition=0)
    producer.flush(60)
    # the broker's own delay between answer and mark comes and goes; a commit during the read stands for it
    committing = threading.Timer(0.5, producer.commit_transaction, (60,))
    committing.start()
    read = kafka.client.read("orders")
    committing.join()
    assert [m.value for m in read] == [b"late"]


def test_namespaces_do_not_see_each_other(broker: Kafka, kafka: Kafka) -> None:
    with opened(broker, "b2") as other:
        kafka.client.produce("orders", [("k", "mine")])
        assert other.client.read("orders") == []
        assert [d.rows for d in broker.snapshot()] == [0, 0]


def test_closing_a_namespace_deletes_its_topics_and_groups_and_no_others(broker: Kafka) -> None:
    with opened(broker, "c3") as service:
        service.client.produce("orders", [("k", "v")])
        with closing(service.client.consumer("loader")) as consumer:
            consumer.subscribe([service.physical("orders")])
            assert consumer.consume(1, timeout=60)
            consumer.commit(asynchronous=False)
        assert "c3.orders" in topics(broker)
    assert not {name for name in topics(broker) if name.startswith("c3.")}
    assert {"orders", "events"} <= topics(broker)
    admin = broker.client.admin()  # the answer comes as long as the client is there
    groups = admin.list_consumer_groups().result(60).valid
    assert not [group for group in groups if group.group_id.startswith("c3.")]
    service.close()


def test_topics_have_the_declared_partitions_and_settings(kafka: Kafka) -> None:
    from confluent_kafka.admin import ConfigResource

    admin = kafka.client.admin()
    assert len(admin.list_topics("a1.orders", timeout=60).topics["a1.orders"].partitions) == 3
    resource = ConfigResource(ConfigResource.Type.TOPIC, "a1.events")
    config = admin.describe_configs([resource])[resource].result(60)
    assert config["cleanup.policy"].value == "compact"


def test_the_same_messages_make_the_same_snapshot_in_any_namespace(broker: Kafka, kafka: Kafka) -> None:
    messages = [Message(str(n).encode(), b"k", partition=n % 3) for n in range(9)]
    kafka.client.produce("orders", messages)
    with opened(broker, "b2") as other:
        other.client.produce("orders", reversed(messages))
        assert other.snapshot() == kafka.snapshot()


@pytest.mark.parametrize(
    "changed",
    [
        Message(b"v", b"k", partition=1),
        Message(b"w", b"k", partition=0),
        Message(b"v", b"j", partition=0),
        Message(b"v", None, partition=0),
        Message(b"v", b"k", (("h", b"1"),), partition=0),
    ],
    ids=["partition", "value", "key", "no-key", "headers"],
)
def test_a_snapshot_shows_a_message_that_differs_in(broker: Kafka, kafka: Kafka, changed: Message) -> None:
    kafka.client.produce("orders", [Message(b"v", b"k", partition=0)])
    with opened(broker, "b2") as other:
        other.client.produce("orders", [changed])
        digests = [next(d for d in s.snapshot() if d.name == "orders").digests for s in (kafka, other)]
    assert digests[0].keys().isdisjoint(digests[1])


def test_a_volatile_part_is_left_out_of_the_snapshot(broker: Kafka, kafka: Kafka) -> None:
    kafka.client.produce("orders", [Message(b"v", b"k", (("at", b"1"),), partition=0)])
    with opened(broker, "b2") as other:
        other.client.produce("orders", [Message(b"v", b"k", (("at", b"2"),), partition=0)])
        volatile = {"orders": ["headers"]}
        assert kafka.snapshot(volatile) == other.snapshot(volatile)


def test_a_round_trip_leaves_no_trace_in_a_snapshot(broker: Kafka) -> None:
    before = broker.snapshot()
    broker.ping()
    assert broker.snapshot() == before
    assert [(d.name, d.kind, d.rows) for d in before] == [("events", "topic", 0), ("orders", "topic", 0)]


def test_a_topic_that_nobody_declared_is_refused(kafka: Kafka) -> None:
    with pytest.raises(ServiceError, match=r"a1\.nowhere.*declare it"):
        kafka.client.read("nowhere")


def test_airflows_hooks_produce_and_consume_through_the_connection(
    kafka: Kafka, airflow_connection: Callable[..., str]
) -> None:
    connection = kafka.connection(ConnectionSpec(service="kafka", extra={"auto.offset.reset": "earliest"}))
    conn_id = airflow_connection(connection)
    from airflow.providers.apache.kafka.hooks.consume import KafkaConsumerHook
    from airflow.providers.apache.kafka.hooks.produce import KafkaProducerHook

    producer = KafkaProducerHook(conn_id).get_producer()
    producer.produce(kafka.physical("orders"), value=b"from a hook")
    assert producer.flush(60) == 0
    with closing(KafkaConsumerHook([kafka.physical("orders")], conn_id).get_consumer()) as consumer:
        assert [m.value() for m in consumer.consume(1, timeout=60)] == [b"from a hook"]


def test_a_group_that_the_environment_names_belongs_to_the_namespace(kafka: Kafka) -> None:
    connection = kafka.connection(ConnectionSpec(service="kafka", extra={"group.id": "loader"}))
    assert connection.extra["group.id"] == "a1.loader"


def test_a_proxy_on_a_reserved_port_cannot_be_bypassed(kafka: Kafka) -> None:
    behind, advertised = map(int, kafka.endpoint.options["slots"].split(",")[0].split(":"))
    with forwarding(advertised, behind) as connections:
        through = type(kafka.client)(f"127.0.0.1:{advertised}", kafka.physical)
        brokers = through.admin().list_topics(timeout=60).brokers.values()
        assert [broker.port for broker in brokers] == [advertised]
        through.produce("orders", [("k", "through a proxy")])
        assert [m.value for m in through.read("orders")] == [b"through a proxy"]
    assert connections
    assert [m.value for m in kafka.client.read("orders")] == [b"through a proxy"]


def test_stopping_leaves_no_process_and_no_data(tmp_path: Path, engine: str) -> None:
    import psutil

    specs = {"kafka": ("kafka", SPEC.model_copy(update={"engine": engine}))}
    session = f"roles-kafka-{os.getpid()}-2"
    fleet = Fleet(specs, folder=tmp_path, cache=cache_dir(), project=tmp_path, session=session)
    fleet.start(lambda event: None)
    for service in fleet.services.values():
        service.prepare()
    pids = fleet.running["kafka"].pids()
    fleet.stop()
    fleet.stop()
    assert pids
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert not (tmp_path / "kafka" / "data").exists()


@contextmanager
def forwarding(port: int, target: int) -> Iterator[list[socket.socket]]:
    """Forward a reserved port to a listener of the broker, as a fault proxy would."""
    connections: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            return

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", target))
            connections.extend((client, server))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    listener = socket.create_server(("127.0.0.1", port))
    threading.Thread(target=accept, daemon=True).start()
    try:
        yield connections
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            connection.close()
