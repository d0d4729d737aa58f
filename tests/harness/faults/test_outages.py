"""A service that is away, slow or broken, as its clients see it, and that it is back afterwards."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, closing

import boto3
import psutil
import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from harness import faults
from harness.errors import ConfigError
from tests.patience import eventually

BODY = b"0123456789" * 1000


@pytest.fixture
def line(stores):
    with faults.line(stores.services["s3"]) as opened:
        opened.service.client.put_object(Bucket=opened.service.physical("lake"), Key="there", Body=BODY)
        yield opened


@pytest.fixture
def client(line):
    """A client that tries once, and does not wait long: for what is to fail."""
    at = line.service.endpoint
    config = Config(
        retries={"total_max_attempts": 1}, read_timeout=2, connect_timeout=2, s3={"addressing_style": "path"}
    )
    with closing(
        boto3.client(
            "s3",
            endpoint_url=f"http://{at.address}",
            aws_access_key_id=at.user,
            aws_secret_access_key=at.password,
            region_name="us-east-1",
            config=config,
        )
    ) as made:
        yield made


def read(line, client):
    return client.get_object(Bucket=line.service.physical("lake"), Key="there")["Body"].read()


@pytest.mark.parametrize(
    ("outage", "error"),
    [
        ({"kind": "refuse"}, EndpointConnectionError),
        ({"kind": "reset"}, ConnectionClosedError),
        ({"kind": "blackhole"}, ReadTimeoutError),
        ({"kind": "delay", "seconds": 60}, ReadTimeoutError),
        ({"kind": "http_503"}, ClientError),
        ({"kind": "truncate", "after_bytes": 100}, ResponseStreamingError),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_client_sees_the_outage_and_afterwards_none(line, client, outage, error):
    with line.outage(**outage), pytest.raises(error):
        read(line, client)
    assert read(line, line.service.client) == BODY


def until_reset(raw):
    while True:
        try:
            part = raw.recv(100)
        except ConnectionResetError:
            return
        assert part, "the connection ended in order"
        yield part


def test_reset_after_some_bytes_lets_those_pass(line):
    at, bucket = line.service.endpoint, line.service.physical("lake")
    with line.outage("reset", after_bytes=50), socket.create_connection((at.host, at.port), timeout=60) as raw:
        raw.sendall(f"GET /{bucket}?list-type=2 HTTP/1.1\r\nHost: {at.address}\r\n\r\n".encode())
        received = b"".join(until_reset(raw))
    assert received.startswith(b"HTTP/1.1 ")
    assert len(received) == 50


def test_reset_write_was_made_all_the_same(line, client):
    bucket = line.service.physical("lake")
    with line.outage("reset"), pytest.raises(ConnectionClosedError):
        client.put_object(Bucket=bucket, Key="lost answer", Body=b"x")
    assert line.service.client.head_object(Bucket=bucket, Key="lost answer")["ContentLength"] == 1


def test_refused_write_was_not_made(line, client):
    bucket = line.service.physical("lake")
    with line.outage("http_503"), pytest.raises(ClientError, match="SlowDown"):
        client.put_object(Bucket=bucket, Key="refused", Body=b"x")
    assert line.service.client.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_slow_service_gives_the_same_bytes(line):
    with line.outage("slow", bytes_per_second=20_000):
        assert read(line, line.service.client) == BODY


def test_outage_that_lasts_some_seconds_is_over_by_itself(line):
    with line.outage("delay", seconds=0.1, lasts=0.01):
        assert read(line, line.service.client) == BODY


def test_postgres_that_goes_away_ends_its_connections_and_comes_back(stores):
    with faults.line(stores.services["postgres"]) as line:
        before = line.service.client
        with line.outage("refuse"):
            with pytest.raises(psycopg.OperationalError):
                before.execute("SELECT 1")
            with pytest.raises(Exception, match="refused"):
                line.service.client_for("shop").execute("SELECT 1")
        assert line.service.client_for("shop").execute("SELECT 1").fetchone() == (1,)


def test_commit_whose_answer_is_lost_was_made(stores):
    with faults.line(stores.services["postgres"]) as line:
        line.service.client_for("shop").execute("CREATE TABLE t (n int)")
        with line.outage("reset"), pytest.raises(psycopg.OperationalError):
            line.service.client_for("shop").execute("INSERT INTO t VALUES (1)")
        assert line.service.client_for("shop").execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_broker_is_reached_through_the_proxy_alone(stores):
    with faults.line(stores.services["kafka"]) as line:
        line.service.client.produce("orders", [("k", "one")])
        with line.outage("refuse"):
            producer = line.service.client.producer(message_timeout_ms=1500)
            producer.produce(line.service.physical("orders"), b"two")
            producer.flush(60)
        assert [message.value for message in line.service.client.read("orders")] == [b"one"]


def test_large_rows_and_copies_pass_unchanged(stores):
    with faults.line(stores.services["postgres"]) as line, line.recorded() as seen:
        client = line.service.client_for("shop")
        client.execute("CREATE TABLE big (t text)")
        with client.cursor() as cursor, cursor.copy("COPY big FROM STDIN") as copy:
            for _ in range(50):
                copy.write_row(["x" * 100_000])
        with client.cursor() as cursor, cursor.copy("COPY big TO STDOUT") as copy:
            size = sum(len(bytes(block)) for block in copy)
    assert size == 50 * 100_001
    assert [write.target.partition(": ")[2] for write in seen[0].writes] == ["CREATE big", "COPY big"]


def test_proxy_leaves_no_thread_behind(stores):
    before = threading.active_count()
    with faults.line(stores.services["s3"]) as line:
        line.service.ping()
    assert eventually(lambda: threading.active_count() <= before)


def test_runs_with_faults_beyond_the_brokers_spare_listeners_are_refused(stores):
    broker = stores.services["kafka"]
    with ExitStack() as four:
        for _ in range(4):
            four.enter_context(faults.line(broker))
        with pytest.raises(ConfigError, match="no free spare listener"):
            four.enter_context(faults.line(broker))


def test_outage_during_one_task_is_met_in_its_first_try_alone(stores, marks):
    with faults.outage("postgres", during="load"):
        report = stores.run("rows")
    tried = [one.state for one in report.runs[0].task("load").tries]
    assert (tried, marks()) == (["failed", "success"], ["nothing written", "written", "rolled back"])
    assert "OperationalError" in report.runs[0].task("load").tries[0].error
    assert [str(one.fault) for one in report.runs[0].fired] == ["postgres is out (refuse) during load"]


def test_outage_of_an_unknown_service_is_refused_with_those_that_there_are(stores):
    with faults.outage("postgress", during="load"), pytest.raises(ConfigError, match="it has s3, postgres, kafka"):
        stores.run("rows")


def test_deadline_that_passes_in_an_outage_leaves_no_process(stores):
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with faults.outage("postgres", during="load", kind="blackhole"):
        report = stores.run("rows", deadline=10)
    assert (report.verdict, report.timed_out) == ("fail", True)
    assert {process.pid for process in psutil.Process().children(recursive=True)} == before
