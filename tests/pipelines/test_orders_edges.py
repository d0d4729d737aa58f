from __future__ import annotations

from datetime import date
from decimal import Decimal

import psycopg
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from environments.seeds.orders_medallion import as_file
from environments.sources.orders import OrderSource
from jobs.common.topics import TopicError
from jobs.medallion.contract import Layout
from jobs.medallion.produce import produce, read_topic
from jobs.medallion.publish import publish, read_published

pytestmark = pytest.mark.slow

DAY_1, DAY_2 = date(2026, 1, 1), date(2026, 1, 2)
SOURCE = OrderSource(seed=7, orders=200)


@pytest.fixture
def send(kafka):
    """Sends lines of a day to this test's topic."""

    def run(day, lines):
        config = {"bootstrap.servers": kafka.endpoint.address}
        return produce(lines, day=day, topic=kafka.physical("orders"), config=config, within=30)

    return run


@pytest.fixture
def dsn(postgres):
    return postgres.dsn("warehouse")


@pytest.fixture
def lake(tmp_path):
    """Replaces the gold table of a local lake by rows (event date, country, orders, revenue)."""
    layout = Layout(str(tmp_path))
    columns = ["event_date", "country", "orders", "revenue_eur"]
    types = [pa.date32(), pa.string(), pa.int64(), pa.decimal128(28, 2)]

    def write(*rows):
        schema = pa.schema(list(zip(columns, types, strict=True)))
        table = pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows], schema)
        write_deltalake(layout.gold, table, mode="overwrite")
        return layout

    return write


def test_a_day_is_sent_once_however_often_it_is_produced(send):
    lines = as_file(SOURCE, DAY_1).splitlines()
    first, second = send(DAY_1, lines), send(DAY_1, lines)

    assert (first.sent, second.sent) == (len(lines), 0)
    assert first.records == second.records == len(lines)
    assert first.ranges == second.ranges
    assert sum(end - start for start, end in first.ranges.values()) == len(lines)


def test_a_day_that_was_half_sent_is_completed(send):
    lines = as_file(SOURCE, DAY_1).splitlines()
    send(DAY_1, lines[:100])
    rest = send(DAY_1, lines)

    assert (rest.offered, rest.sent, rest.records) == (len(lines), len(lines) - 100, len(lines))


def test_the_lines_of_one_day_are_not_taken_for_those_of_another(send):
    lines = [b"o-1\t{}", b"o-2\t{}"]

    assert send(DAY_1, lines).sent == 2
    assert send(DAY_2, lines).sent == 2


def test_a_message_has_the_key_and_the_bytes_of_its_line(send, kafka):
    send(DAY_1, [b'o-1\t{"a":\t1}'])
    (message,) = kafka.client.read("orders")

    assert (message.key, message.value) == (b"o-1", b'{"a":\t1}')


def test_an_aborted_message_does_not_count_as_sent(kafka):
    producer = kafka.client.producer(transactional_id="orders-test")
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(kafka.physical("orders"), b"{}", "o-1", headers=[("event-id", b"2026-01-01/0")])
    producer.flush(30)
    producer.abort_transaction(30)

    config = {"bootstrap.servers": kafka.endpoint.address}
    held = read_topic(kafka.physical("orders"), day=DAY_1, config=config, within=30)

    assert (held.lines, held.records) == (frozenset(), 0)


def test_a_topic_that_is_not_there_is_named(kafka):
    config = {"bootstrap.servers": kafka.endpoint.address, "allow.auto.create.topics": False}

    with pytest.raises(TopicError, match="no-such-topic"):
        read_topic("no-such-topic", day=DAY_1, config=config, within=30)


def test_a_country_that_vanished_from_a_date_vanishes_from_the_warehouse(dsn, postgres, lake):
    one, two = (1, Decimal("1.00")), (2, Decimal("2.50"))
    publish(dsn=dsn, layout=lake((DAY_1, "NL", *one), (DAY_1, "MT", *one), (DAY_2, "NL", *two)), storage={})

    done = publish(dsn=dsn, layout=lake((DAY_1, "NL", *one), (DAY_2, "NL", *two)), storage={})

    assert (done.dates, done.rows) == (["2026-01-01"], 1)
    assert read_published(postgres.client_for("warehouse")) == {(DAY_1, "NL"): one, (DAY_2, "NL"): two}


def test_a_failure_between_delete_and_insert_leaves_the_old_rows(dsn, postgres, lake):
    old = (1, Decimal("1.00"))
    publish(dsn=dsn, layout=lake((DAY_1, "NL", *old)), storage={})
    warehouse = postgres.client_for("warehouse")
    warehouse.execute("ALTER TABLE daily_revenue ADD CHECK (revenue_eur < 100)")

    with pytest.raises(psycopg.errors.CheckViolation):
        publish(dsn=dsn, layout=lake((DAY_1, "DE", *old), (DAY_1, "NL", 1, Decimal("100.00"))), storage={})

    assert read_published(warehouse) == {(DAY_1, "NL"): old}
