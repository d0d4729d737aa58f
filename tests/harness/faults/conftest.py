from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from harness import faults
from harness.engines.base import Place
from harness.engines.jars import cache_dir
from harness.environment.service import KafkaSpec, PostgresSpec, S3Spec, ServiceSpec, TopicSpec
from harness.environment.spec import AirflowSpec
from harness.models.run import RunReport
from harness.models.service import ServiceRef
from harness.runner import Dates, RunRequest, run
from harness.services.base import Service
from harness.services.ready import wait_until_ready
from harness.services.registry import bind, service_type
from harness.session.forkclient import ForkServer
from harness.session.naming import airflow_variables

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with ForkServer.start(folder=tmp_path_factory.mktemp("fork")) as server:
        yield server


@pytest.fixture
def run_dag(fork_server: ForkServer, tmp_path: Path) -> Callable[..., RunReport]:
    """Run one of the DAGs in `dags/` with the faults of the blocks around the call."""

    def run_one(dag_id: str, **request: Any) -> RunReport:
        options: dict[str, Any] = {
            "dag_id": dag_id,
            "dags_folder": HERE / "dags",
            "project": HERE,
            "folder": tmp_path / "run",
            "dates": Dates(date="2026-01-02"),
            "deadline": 120,
            "compression": 600,
            "faults": faults.active(),
            "environ": {"HARNESS_MARKS": str(tmp_path)},
        }
        return run(RunRequest(**(options | request)), client=fork_server.client())

    return run_one


@pytest.fixture
def marks(tmp_path: Path) -> Callable[[], list[str]]:
    """Return the lines that tasks have left."""

    def lines() -> list[str]:
        path = tmp_path / "marks"
        return path.read_text().splitlines() if path.is_file() else []

    return lines


@dataclass(frozen=True)
class Stores:
    """A namespace of running services, and a runner of DAGs on it."""

    services: dict[str, Service[Any]]
    run: Callable[..., RunReport]

    @property
    def keys(self) -> list[str]:
        store = self.services["s3"]
        listed = store.client.list_objects_v2(Bucket=store.physical("lake"))
        return [entry["Key"] for entry in listed.get("Contents", [])]


AIRFLOW = AirflowSpec.model_validate(
    {
        "connections": {
            "lake": {"service": "s3"},
            "warehouse": {"service": "postgres"},
            "broker": {"service": "kafka"},
        },
        "variables": {
            "bucket": {"service": "s3", "bucket": "lake"},
            "topic": {"service": "kafka", "topic": "orders"},
        },
    }
)
SPECS: dict[str, ServiceSpec] = {
    "s3": S3Spec(buckets=["lake"], server="moto"),
    "postgres": PostgresSpec(databases=["shop"]),
    "kafka": KafkaSpec(topics={"orders": TopicSpec()}),
}


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Service[Any]]]:
    """One server of each kind, for all tests of the folder."""
    with ExitStack() as stack:
        started = {}
        for role, spec in SPECS.items():
            folder = tmp_path_factory.mktemp(role) / role
            folder.mkdir()
            place = Place(folder, cache_dir(), HERE, f"test{os.getpid()}")
            module, _, name = service_type(role).engines["embedded"].partition(":")
            running = getattr(import_module(module), name)().start(spec, place)
            stack.callback(running.stop)
            service = bind(role, role, spec, running.endpoint)
            wait_until_ready(service, running, within=120)
            started[role] = service
        yield started


@pytest.fixture
def stores(servers: dict[str, Service[Any]], run_dag: Callable[..., RunReport], tmp_path: Path) -> Iterator[Stores]:
    """This test's namespace on the servers."""
    prefix = f"n{secrets.randbelow(10**6)}"  # as a session calls its namespaces
    made = {
        name: bind(name, name, server.spec, server.endpoint, server.open(prefix)) for name, server in servers.items()
    }
    refs = {
        name: ServiceRef(role=name, spec=one.spec.model_dump(mode="json"), endpoint=one.endpoint, slice=one.slice)
        for name, one in made.items()
    }
    environ = airflow_variables(AIRFLOW, made) | {"HARNESS_MARKS": str(tmp_path)}

    def run_one(dag_id: str, **request: Any) -> RunReport:
        options = {"services": refs, "environ": environ, "airflow": AIRFLOW, "snapshot": False}
        return run_dag(dag_id, **(options | request))

    yield Stores(made, run_one)
    for one in made.values():
        one.close()
