from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException

from environments.seeds.event_relay import LINE_HEADER, messages
from environments.sources.events import EventSource
from harness.environment.spec import ConnectionSpec
from jobs.common.topics import topic_reader
from jobs.relay import relay as relays
from jobs.relay.audit import AuditFailed, audit
from jobs.relay.contract import Topics
from jobs.relay.events import handle
from jobs.relay.letters import Letter
from tests.patience import eventually
from tests.pipelines.relay_until import KILLED, POINTS, SIZE

pytestmark = [pytest.mark.slow, pytest.mark.needs("kafka"), pytest.mark.stages("dev")]

ROOT = Path(__file__).parents[2]
SOURCE = EventSource(seed=7, events=75)
BOUNDS = relays.Bounds(records=SIZE, seconds=60)
known = partial(handle, resolve=lambda session, attempt: "somebody")


@pytest.fixture
def config(kafka):
    return dict(kafka.connection(ConnectionSpec(service="kafka", extra={"group.id": "relay"})).extra)


@pytest.fixture
def topics(kafka):
    """The topics of this test, with 75 events that were not relayed yet; three of them are broken."""
    kafka.client.produce("events", messages(SOURCE, date(2026, 1, 1)))
    return Topics(*map(kafka.physical, ("events", "events_clean", "events_dead")))


@pytest.fixture
def taken_back(kafka, topics):
    """A message that its producer sent and aborted; the broker's log keeps it."""
    producer = kafka.client.producer(transactional_id="upstream")
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topics.source, b"never happened")
    producer.flush(30)
    producer.abort_transaction(30)
    return b"never happened"


@pytest.fixture
def lines(kafka):
    """Counts what a reader of committed messages sees: row of the day to how often it is there."""

    def count(*names):
        return Counter(dict(one.headers)[LINE_HEADER].decode() for name in names for one in kafka.client.read(name))

    return count


@pytest.fixture
def crash(config, topics):
    """Relays in a process of its own, which ends at a point of its second transaction."""

    def run(point, version="transactions"):
        script = [sys.executable, str(ROOT / "tests/pipelines/relay_until.py"), point, version]
        names = json.dumps([topics.source, topics.clean, topics.dead])
        done = subprocess.run(
            [*script, json.dumps(config), names],
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=120,
            capture_output=True,
            text=True,
        )
        assert done.returncode == KILLED, done.stderr

    return run


def relay(config, topics, **options):
    return relays.relay(config=config, topics=topics, bounds=BOUNDS, **{"handle": known} | options)


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_is_not_seen_and_the_next_run_relays_each_event_once(crash, config, topics, lines, point):
    crash(point)
    committed = 2 * SIZE if point == "after commit" else SIZE
    # the broker writes the marks of a commit into the topics after it has answered for it
    assert eventually(lambda: lines("events_clean", "events_dead").total() == committed)

    rest = relay(config, topics)

    assert rest.read == SOURCE.events - committed
    assert lines("events_clean", "events_dead") == lines("events")
    assert audit(config=config, topics=topics) == {"taken": 75, "waiting": 0, "relayed": 72, "dead": 3}


def test_without_transactions_a_crash_doubles_events_and_the_audit_says_so(crash, config, topics, lines):
    crash("before commit", "at least once")
    relay(config, topics)

    assert lines("events_clean", "events_dead") != lines("events")
    with pytest.raises(AuditFailed, match=f"^{SIZE} records are there more than once"):
        audit(config=config, topics=topics)


@pytest.mark.filterwarnings("ignore:Producer abort_transaction failed during close")
def test_a_second_relay_of_the_same_name_fences_the_first(config, topics, lines):
    with relays.transactional(config) as first, relays.transactional(config) as second:
        with pytest.raises(KafkaException) as fenced, relays.transaction(first):
            first.produce(topics.clean, b"of the first")
        with relays.transaction(second):
            second.produce(topics.clean, b"of the second", headers={LINE_HEADER: b"second"})

    assert fenced.value.args[0].code() == KafkaError._FENCED
    assert lines("events_clean") == {"second": 1}


def test_what_a_producer_took_back_is_not_relayed(config, topics, taken_back):
    assert relay(config, topics).read == SOURCE.events


def test_a_reader_with_the_clients_own_level_of_isolation_sees_what_was_taken_back(topics, kafka, taken_back):
    reader = kafka.client.consumer("defaults", isolation_level="read_uncommitted")
    reader.subscribe([topics.source])
    try:
        seen = reader.consume(SOURCE.events + 1, timeout=30)
    finally:
        reader.close()

    assert taken_back in {one.value() for one in seen}


def test_after_an_abort_the_next_run_begins_where_the_last_commit_was(config, topics, lines, monkeypatch):
    monkeypatch.setattr(relays, "following", failing_once(relays.following))
    with pytest.raises(ConnectionError):
        relay(config, topics)
    relay(config, topics)

    assert lines("events_clean", "events_dead") == lines("events")


def test_a_consumer_that_commits_by_itself_would_lose_the_batch_too(config, topics, lines, monkeypatch):
    monkeypatch.setattr(confluent_kafka, "Consumer", Forgetful)
    with pytest.raises(AssertionError):
        test_after_an_abort_the_next_run_begins_where_the_last_commit_was(config, topics, lines, monkeypatch)


def test_to_go_on_after_an_abort_would_lose_the_batch(config, topics, lines, monkeypatch):
    monkeypatch.setattr(relays, "following", failing_once(relays.following))
    monkeypatch.setattr(relays, "transaction", going_on)
    relay(config, topics)

    assert lines("events_clean", "events_dead") != lines("events")
    with pytest.raises(AuditFailed, match="were worked off and are nowhere"):
        audit(config=config, topics=topics)


def test_dead_letters_are_gone_when_their_cause_is_repaired(config, topics, lines, kafka):
    relay(config, topics)
    relay(config, topics, replay=True)
    assert audit(config=config, topics=topics)["dead"] == 3
    attempts = [Letter.from_json(one.value).retry_count for one in kafka.client.read("events_dead")]

    repaired = relay(config, topics, replay=True, handle=lambda value, attempt: b"repaired")

    assert sorted(attempts) == [1, 1, 1, 2, 2, 2]
    assert (repaired.read, repaired.relayed) == (3, 3)
    assert audit(config=config, topics=topics) == {"taken": 75, "waiting": 0, "relayed": 75, "dead": 0}
    assert lines("events_clean") == lines("events")


def test_a_batch_that_was_not_read_waits_for_the_next_run(config, topics, kafka):
    with topic_reader(topics.source, config, group="another") as reader:
        kafka.client.produce("events", [("s", "later")])
        found = [one for batch in reader.batches(within=30) for one in batch]

    assert len(found) == SOURCE.events


class Forgetful(confluent_kafka.Consumer):
    """The version with the client's own default: it commits what was read, whatever becomes of it."""

    def __init__(self, settings: dict[str, Any], **others: Any) -> None:
        super().__init__({**settings, "enable.auto.commit": True}, **others)


def failing_once(function: Any) -> Any:
    calls = Counter[str]()

    def run(batch: Any) -> Any:
        calls["all"] += 1
        if calls["all"] == 2:
            raise ConnectionError("the broker was away")
        return function(batch)

    return run


@contextmanager
def going_on(producer: Any) -> Iterator[None]:
    """The version that aborts, and takes the next batch."""
    producer.begin_transaction()
    try:
        yield
        producer.commit_transaction(30)
    except ConnectionError:
        # librdkafka cannot go on after it has aborted a transaction of which the broker has only begun to hear
        producer.flush(30)
        producer.abort_transaction(30)
