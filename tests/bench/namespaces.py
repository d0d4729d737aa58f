"""A namespace for each test, against what gives a test stores of its own elsewhere: containers."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench.rows import Line, Row, Unmeasured
from tests.bench.surroundings import session
from tests.bench.timing import BenchError, in_turns, timed, wall
from tests.peers import PeerError, peer_python

STORES = ("postgres", "s3", "kafka")
CONTAINERS = "a container for each, by testcontainers, from our images, started together"
PYTEST_DATABASES = "pytest-databases==0.19.0"
#: its own tests say how a user names another image: by overriding `postgres_image`
_THEIR_TEST = """\
import time
from pathlib import Path

import pytest

pytest_plugins = ["pytest_databases.docker.postgres"]


@pytest.fixture(scope="session")
def postgres_image():
    return {image!r}


def test_it_starts(request):
    began = time.perf_counter()
    request.getfixturevalue("postgres_service")
    Path({result!r}).write_text(str(time.perf_counter() - began))
"""


def per_test(rounds: int) -> list[Line]:
    """Open and close what one test needs; with and without a container engine."""
    several, alone = "namespace of Postgres, S3 and Kafka for one test", "namespace of Postgres for one test"
    peer = "the container of pytest-databases, which lasts a pytest session; its start alone"
    try:
        images = local_images()
    except BenchError as error:
        return [Unmeasured(several, CONTAINERS, str(error)), Unmeasured(alone, peer, str(error))]
    with session(STORES) as held:
        ours, theirs = in_turns(rounds, lambda: namespace_seconds(held), lambda: containers(images))
    rows: list[Line] = [Row(several, ours, CONTAINERS, theirs, 0.05)]
    with session(("postgres",)) as held:
        try:
            python = peer_python(PYTEST_DATABASES, extras="postgres", needs=["psycopg[binary]"])
            ours, theirs = in_turns(
                rounds, lambda: namespace_seconds(held), lambda: pytest_databases(python, images["postgres"])
            )
            rows.append(Row(alone, ours, peer, theirs))
        except (BenchError, PeerError) as error:
            rows.append(Unmeasured(alone, peer, str(error), failed=True))
    return rows


def namespace_seconds(held: Any, times: int = 5) -> float:
    """Open and close a namespace a few times; the seconds of one."""

    def several() -> None:
        for _ in range(times):
            with held.namespace():
                pass

    return timed(several) / times


def local_images() -> dict[str, str]:
    """Return the images of the three stores, by role.

    Raises:
        BenchError: no engine answers, or it does not hold them.
    """
    from harness.engines.container.docker_engine import connect
    from harness.engines.images import holds, recipe_for
    from harness.errors import ServiceError

    try:
        client = connect()
    except ServiceError as error:
        raise BenchError("no container engine") from error
    try:
        images = {role: recipe_for(role).tag for role in STORES}
        missing = [name for name in images.values() if not holds(client, name)]
    finally:
        client.close()
    if missing:
        raise BenchError(f"the engine does not hold {', '.join(missing)}; `harness images build` makes them")
    return images


def containers(images: dict[str, str]) -> float:
    """Start a container for each store, wait until each is ready, and remove them; the seconds."""
    from testcontainers.core.config import testcontainers_config

    # its default is to look once a second; this is the best that it can do
    testcontainers_config.sleep_time = 0.1

    def all_of_them() -> None:
        with ExitStack() as stack, ThreadPoolExecutor(len(images)) as pool:
            list(pool.map(stack.enter_context, [postgres(images), minio(images), kafka(images)]))

    return timed(all_of_them)


def postgres(images: dict[str, str]) -> Any:
    """Return the container of testcontainers' own module."""
    from testcontainers.community.postgres import PostgresContainer

    return PostgresContainer(images["postgres"], driver=None)


def minio(images: dict[str, str]) -> Any:
    """Return what testcontainers' module for MinIO starts, which cannot be imported without MinIO's client."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import HttpWaitStrategy

    ready = HttpWaitStrategy(9000, "/minio/health/live").with_poll_interval(0.1)
    return DockerContainer(images["s3"]).with_exposed_ports(9000).waiting_for(ready)


def kafka(images: dict[str, str]) -> Any:
    """Return a broker with the settings of ours; testcontainers' module knows Confluent's image alone."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    from harness.engines.container.kafka import HOST, broker_environ
    from harness.engines.process import free_port

    port = free_port()
    ready = LogMessageWaitStrategy("Kafka Server started").with_poll_interval(0.1)
    broker = DockerContainer(images["kafka"]).with_envs(**broker_environ("localhost", port, []))
    return broker.with_bind_ports(HOST, port).waiting_for(ready)


def pytest_databases(python: str, image: str) -> float:
    """Run a pytest session of one test that asks pytest-databases for its server; the seconds until it had it."""
    with tempfile.TemporaryDirectory() as name:
        result = Path(name, "seconds")
        Path(name, "test_peer.py").write_text(_THEIR_TEST.format(image=image, result=str(result)))
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", name, name]
        wall(Path(name), *command)
        return float(result.read_text())
