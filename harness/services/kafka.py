"""The role `kafka`: topics and groups of one namespace on a broker."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
import time
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, ClassVar

from harness.environment.spec import ConnectionSpec, KafkaSpec, ServiceSpec, TopicSpec
from harness.errors import ServiceError, Unreachable
from harness.models.service import Connection, Slice
from harness.models.snapshot import Dataset
from harness.services.base import Service
from harness.services.kafka_clients import TIMEOUT, KafkaClients, Message, read_topic

#: written by `ping`; like all topics with two underscores in front it is no part of a snapshot
PING_TOPIC = "__harness_ping"

#: what a namespace's topics begin with
_RENAMED = re.compile(r"n\d+\.")

#: idempotent, so that the coordinator has loaded when the broker counts as ready; and quiet about having to wait for it
_PING = {"linger.ms": 0, "enable.idempotence": True, "log_level": 2}

#: how many messages of a topic a snapshot keeps for words in a diff
SAMPLE = 1000


class Kafka(Service[KafkaSpec]):
    """A broker; `client` makes confluent_kafka clients and takes logical topic names."""

    role: ClassVar[str] = "kafka"
    spec_type: ClassVar[type[ServiceSpec]] = KafkaSpec
    engines: ClassVar[Mapping[str, str]] = {
        "embedded": "harness.engines.embedded.kafka:EmbeddedKafka",
        "container": "harness.engines.container.kafka:ContainerKafka",
    }

    named: ClassVar[bool] = True

    _client: tuple[int, KafkaClients] | None = None
    _pinger: tuple[int, Any, Any] | None = None

    def whole(self) -> Slice:
        return Slice(names={"topic": {name: name for name in self.spec.topics}})

    def ping(self) -> None:
        """Ask for metadata, produce a message, and consume that message."""
        # librdkafka takes up to a second to tell that nobody listens; a plain connect tells at once
        try:
            socket.create_connection((self.endpoint.host, self.endpoint.port), timeout=2.0).close()
        except OSError as error:
            raise Unreachable(f"{self.endpoint.address}: {error}", role=self.name) from error
        producer, admin = self._ping_clients()
        if PING_TOPIC not in admin.list_topics(timeout=5.0).topics:
            create_topics(admin, {PING_TOPIC: TopicSpec()})
        _round_trip(producer, self.client, secrets.token_bytes(16))

    def prepare(self) -> None:
        create_topics(self.client.admin(), self._physical_topics(self.slice))

    def open(self, prefix: str) -> Slice:
        slice = Slice(prefix=prefix, names={"topic": {name: f"{prefix}.{name}" for name in self.spec.topics}})
        create_topics(self.client.admin(), self._physical_topics(slice))
        return slice

    def close(self) -> None:
        """Delete the slice's topics, those that its DAGs made under its prefix, and its groups."""
        if not self.slice.prefix:
            return
        # a group with a member cannot be deleted; it goes with the broker
        with suppress(ServiceError):
            self._remove(self._prefix)

    def empty(self) -> None:
        """Delete all topics and groups; raises ServiceError while a group has a member."""
        self._remove("")

    def _remove(self, prefix: str) -> None:
        admin = self.client.admin()
        mine = [name for name in admin.list_topics(timeout=TIMEOUT).topics if name.startswith(prefix)]
        mine = [name for name in mine if not name.startswith("__")]
        if mine:
            _finish(admin.delete_topics(mine, request_timeout=TIMEOUT), ignore="UNKNOWN_TOPIC_OR_PART")
            _wait_until_gone(admin, mine)
        groups = admin.list_consumer_groups(request_timeout=TIMEOUT).result().valid
        left = [group.group_id for group in groups if group.group_id.startswith(prefix)]
        if left:
            _finish(admin.delete_consumer_groups(left, request_timeout=TIMEOUT), ignore="GROUP_ID_NOT_FOUND")

    def outside(self) -> dict[str, str]:
        """Return the topics of no namespace, with the ends of their partitions."""
        if self.slice.alone or not self._prefix:
            return {}
        from confluent_kafka import TopicPartition
        from confluent_kafka.admin import OffsetSpec

        admin = self.client.admin()
        topics = admin.list_topics(timeout=TIMEOUT).topics
        names = [name for name in topics if not name.startswith("__") and not _RENAMED.match(name)]
        asked = {TopicPartition(name, part): OffsetSpec.latest() for name in names for part in topics[name].partitions}
        answers = admin.list_offsets(asked, request_timeout=TIMEOUT) if asked else {}
        ends = dict.fromkeys(names, "")
        for place, answer in answers.items():
            ends[place.topic] += f" {place.partition}:{answer.result(timeout=TIMEOUT).offset}"
        return {f"topic {name!r}": end for name, end in ends.items()}

    @property
    def client(self) -> KafkaClients:
        """Return the maker of clients; it holds no connection of its own."""
        if self._client is None or self._client[0] != os.getpid():
            self._client = (os.getpid(), KafkaClients(self.endpoint.address, self.physical, self._prefix))
        return self._client[1]

    def physical(self, topic: str) -> str:
        """Return a topic's name at the broker; one that is not declared gets the slice's prefix all the same."""
        return self.slice.names["topic"].get(topic, self._prefix + topic)

    def connection(self, spec: ConnectionSpec) -> Connection:
        """Return the connection as the apache-kafka provider reads it: all of it in `extra`.

        A `group.id` that the environment gives is prefixed, so that namespaces do not share a group.
        """
        extra = {"bootstrap.servers": self.endpoint.address, **spec.extra}
        extra["group.id"] = self._prefix + str(spec.extra.get("group.id", "airflow"))
        return Connection(conn_type="kafka", host=self.endpoint.host, port=self.endpoint.port, extra=extra)

    def environ(self) -> dict[str, str]:
        return {"KAFKA_BOOTSTRAP_SERVERS": self.endpoint.address}

    def snapshot(self, volatile: Mapping[str, Collection[str]] | None = None) -> list[Dataset]:
        """Return one dataset per topic; a message's fingerprint covers its partition, key, value and headers.

        Offsets and timestamps are left out: they differ between any two runs. `volatile` may name `partition`, `key`,
        `value` and `headers`.
        """
        ignored = volatile or {}
        datasets = []
        for physical in sorted(self.client.admin().list_topics(timeout=TIMEOUT).topics):
            logical = self._logical(physical)
            if logical is not None:
                messages = read_topic(self.client, physical)
                datasets.append(_dataset(self.name, logical, messages, ignored.get(logical, ())))
        return datasets

    def attach_hint(self) -> str | None:
        prefix = f" (topics start with {self._prefix})" if self._prefix else ""
        return f"kafka bootstrap servers: {self.endpoint.address}{prefix}"

    @property
    def _prefix(self) -> str:
        return f"{self.slice.prefix}." if self.slice.prefix else ""

    def _physical_topics(self, slice: Slice) -> dict[str, TopicSpec]:
        return {slice.physical("topic", name): spec for name, spec in self.spec.topics.items()}

    def _logical(self, physical: str) -> str | None:
        """Return the logical name of a topic of this slice, None for another slice's and for Kafka's own."""
        if physical.startswith("__"):
            return None
        if self.slice.alone:
            return physical
        if self._prefix:
            return physical.removeprefix(self._prefix) if physical.startswith(self._prefix) else None
        return (
            None
            if re.fullmatch(r"[A-Za-z0-9]{1,12}", physical.partition(".")[0]) and self._sliced(physical)
            else physical
        )

    def _sliced(self, physical: str) -> bool:
        return physical.partition(".")[2] in self.spec.topics and physical not in self.spec.topics

    def _ping_clients(self) -> tuple[Any, Any]:
        """Keep the clients of `ping`: a readiness loop would make ten of each, with threads."""
        if self._pinger is None or self._pinger[0] != os.getpid():
            self._pinger = (os.getpid(), self.client.producer(**_PING), self.client.admin())
        return self._pinger[1], self._pinger[2]


def create_topics(admin: Any, topics: Mapping[str, TopicSpec]) -> None:
    """Create topics that are not there, and wait until the broker tells of their partitions.

    Raises:
        ServiceError: the broker refuses one, or does not know it in time.
    """
    from confluent_kafka.admin import NewTopic

    if not topics:
        return
    wanted = [
        NewTopic(name, num_partitions=spec.partitions, replication_factor=1, config=spec.config)
        for name, spec in topics.items()
    ]
    _finish(admin.create_topics(wanted, request_timeout=TIMEOUT), ignore="TOPIC_ALREADY_EXISTS")
    until = time.monotonic() + TIMEOUT
    while missing := topics.keys() - admin.list_topics(timeout=TIMEOUT).topics.keys():
        if time.monotonic() > until:
            raise ServiceError(
                f"topics {sorted(missing)} were created, and the broker does not know them", role="kafka"
            )
        time.sleep(0.01)


def _wait_until_gone(admin: Any, topics: Collection[str]) -> None:
    """Wait until the broker has forgotten deleted topics too: its controller answers first."""
    until = time.monotonic() + TIMEOUT
    while left := admin.list_topics(timeout=TIMEOUT).topics.keys() & set(topics):
        if time.monotonic() > until:
            raise ServiceError(f"topics {sorted(left)} were deleted, and the broker still lists them", role="kafka")
        time.sleep(0.01)


def _finish(futures: Mapping[str, Any], ignore: str) -> None:
    """Wait for the broker's answers, one per name; an answer named `ignore` is as good as success."""
    from confluent_kafka import KafkaException

    for name, future in futures.items():
        try:
            future.result(timeout=TIMEOUT)
        except KafkaException as error:
            if error.args[0].name() != ignore:
                raise ServiceError(f"{name!r}: {error.args[0].str()}", role="kafka") from error


def _round_trip(producer: Any, clients: KafkaClients, value: bytes) -> None:
    from confluent_kafka import TopicPartition

    delivered: list[Any] = []
    producer.produce(PING_TOPIC, value=value, on_delivery=lambda error, message: delivered.append((error, message)))
    producer.flush(10.0)
    if not delivered or delivered[0][0] is not None:
        raise Unreachable(f"no acknowledgement: {delivered[0][0] if delivered else 'none in 10 s'}", role="kafka")
    sent = delivered[0][1]
    consumer = clients.consumer("harness-ping", enable_auto_commit=False, fetch_wait_max_ms=10)
    try:
        consumer.assign([TopicPartition(PING_TOPIC, sent.partition(), sent.offset())])
        got = consumer.poll(10.0)
    finally:
        consumer.close()
    if got is None or got.error() or got.value() != value:
        raise Unreachable(f"produced a message and did not get it back: {got and got.error()}", role="kafka")


def _dataset(service: str, name: str, messages: list[Message], volatile: Collection[str]) -> Dataset:
    digests: Counter[str] = Counter()
    sample: dict[str, dict[str, Any]] = {}
    for message in messages:
        parts = {"partition": message.partition, "key": message.key, "value": message.value, "headers": message.headers}
        kept = {part: value for part, value in parts.items() if part not in volatile}
        # repr tells b"1" from 1 and None from b"", and cannot run two parts together
        digest = hashlib.blake2b(repr(kept).encode(), digest_size=16).hexdigest()
        digests[digest] += 1
        if len(sample) < SAMPLE:
            sample[digest] = {part: _readable(value) for part, value in kept.items()}
    return Dataset(service=service, name=name, kind="topic", rows=len(messages), digests=dict(digests), sample=sample)


def _readable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, tuple):
        return {name: _readable(content) for name, content in value}
    return value
