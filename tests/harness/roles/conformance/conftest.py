from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.engines.jars import cache_dir
from harness.environment.spec import KafkaSpec, PostgresSpec, S3Spec, ServiceSpec, SparkSpec, TopicSpec
from harness.services.base import Service
from harness.services.registry import bind
from harness.session.fleet import Fleet, engine_for

PROJECT = Path(__file__).resolve().parents[4]

STORES: Mapping[str, ServiceSpec] = {
    "postgres": PostgresSpec(databases=["warehouse", "audit"]),
    "s3": S3Spec(buckets=["landing", "lake"]),
    "kafka": KafkaSpec(topics={"orders": TopicSpec(partitions=3), "events": TopicSpec()}),
}
# generous: in CI the whole suite shares two cores with it
SPARK = SparkSpec(packages=["delta", "kafka", "s3", "postgres"], start_timeout=300)

Start = Callable[[Mapping[str, ServiceSpec]], Any]
Open = Callable[[str], Service[Any]]


@pytest.fixture(scope="session")
def start(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Start services on the engine under test, and stop them at the end of the block."""
    numbers = itertools.count()

    @contextmanager
    def started(specs: Mapping[str, ServiceSpec]) -> Iterator[Fleet]:
        session = f"conformance-{os.getpid()}-{next(numbers)}"
        chosen = {name: (name, spec.model_copy(update={"engine": engine})) for name, spec in specs.items()}
        folder = tmp_path_factory.mktemp(session)
        fleet = Fleet(chosen, folder=folder, cache=cache_dir(), project=PROJECT, session=session)
        try:
            fleet.start(lambda event: None)
            for service in fleet.services.values():
                service.prepare()
            yield fleet
        finally:
            for service in fleet.services.values():
                service.release()
            fleet.stop()

    return started


@pytest.fixture(scope="session")
def declared() -> Mapping[str, ServiceSpec]:
    """What the environment says about each store."""
    return STORES


@pytest.fixture(scope="session")
def stores(start: Start) -> Iterator[Fleet]:
    with start(STORES) as fleet:
        yield fleet


@pytest.fixture(scope="session")
def compute(start: Start, stores: Fleet) -> Iterator[Fleet]:
    with start({"spark": SPARK}) as fleet:
        fleet.services["spark"].wire(stores.services)
        yield fleet


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Open a fresh namespace of a role: `opened("s3")`; it is closed when the test ends."""
    numbers = itertools.count()

    with ExitStack() as stack:

        def open_one(role: str) -> Service[Any]:
            fleet = request.getfixturevalue("compute" if role == "spark" else "stores")
            whole = fleet.services[role]
            service = bind(role, role, whole.spec, whole.endpoint, whole.open(f"t{next(numbers)}"))
            stack.callback(service.release)
            stack.callback(service.close)
            return service

        yield open_one


@pytest.fixture
def postgres(opened: Open) -> Any:
    return opened("postgres")


@pytest.fixture
def s3(opened: Open) -> Any:
    return opened("s3")


@pytest.fixture
def kafka(opened: Open) -> Any:
    return opened("kafka")


@pytest.fixture
def spark(opened: Open) -> Any:
    return opened("spark")


@pytest.fixture
def requires() -> Callable[[Service[Any], str], None]:
    """Skip unless the engine shows a feature; what it says about itself is the reason."""

    def check(service: Service[Any], feature: str) -> None:
        if limit := engine_for(service.role, service.spec).limit(feature):
            pytest.skip(f"{service.role} ({service.endpoint.engine}) cannot show {limit}")

    return check
