from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from harness.engines.base import Engine, Place, Running
from harness.environment.service import HttpSpec, PostgresSpec, S3Spec, ServiceSpec, SmtpSpec
from harness.models.service import Connection
from harness.models.snapshot import Dataset, Difference
from harness.services.base import Service
from harness.services.ready import wait_until_ready
from harness.services.registry import bind, service_type
from harness.state import diff, snapshot

HERE = Path(__file__).parent

SPECS: dict[str, ServiceSpec] = {
    "postgres": PostgresSpec(databases=["warehouse", "audit"]),
    "moto": S3Spec(buckets=["landing", "lake"], server="moto"),
    "minio": S3Spec(buckets=["landing", "lake"], server="minio"),
    "http": HttpSpec(apps={"shop": "apps.shop:app", "echo": "apps.shop:echo"}),
    "smtp": SmtpSpec(),
}
ROLES = {"postgres": "postgres", "moto": "s3", "minio": "s3", "http": "http", "smtp": "smtp"}


@dataclass(frozen=True)
class Started:
    """One running server and the client's view of all of it."""

    service: Service[Any]
    running: Running
    engine: Engine
    place: Place

    def again(self, prefix: str) -> Service[Any]:
        """The client's view of a fresh namespace."""
        return bind(
            self.service.name, self.service.role, self.service.spec, self.running.endpoint, self.service.open(prefix)
        )


Launch = Callable[..., AbstractContextManager[Started]]


@pytest.fixture(scope="session")
def launch(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Launch:
    """Start a server by the name of its kind, and stop it at the end of the block."""

    @contextmanager
    def start(
        kind: str, spec: ServiceSpec | None = None, *, ready: bool = True, project: Path = HERE
    ) -> Iterator[Started]:
        role, spec = ROLES[kind], spec or SPECS[kind]
        if engine == "container" and kind == "moto":
            pytest.skip("moto is what the embedded engine runs; in containers it is MinIO")
        if engine in service_type(role).engines:
            spec = spec.model_copy(update={"engine": engine})
        if spec.engine == "embedded" and kind == "minio" and not shutil.which("minio"):
            pytest.skip("there is no minio binary on PATH")
        folder = tmp_path_factory.mktemp(kind) / role
        folder.mkdir()
        place = Place(
            folder, tmp_path_factory.getbasetemp() / "cache", project, f"test{os.getpid()}{folder.parent.name}"
        )
        module, _, name = service_type(role).engines[spec.engine].partition(":")
        starter = getattr(import_module(module), name)()
        running = starter.start(spec, place)
        try:
            service = bind(role, role, spec, running.endpoint)
            if ready:
                wait_until_ready(service, running, within=60)
                service.prepare()
            yield Started(service, running, starter, place)
            service.release()
        finally:
            running.stop()

    return start


@pytest.fixture(scope="module")
def running(kind: str, launch: Launch) -> Iterator[Started]:
    """One server of the module's `kind`, shared by its tests; the module makes what its tests need of it."""
    with launch(kind) as started:
        yield started


@pytest.fixture
def namespace(running: Started) -> Iterator[Service[Any]]:
    """A namespace of the test's own on the shared server."""
    service = running.again("ns1")
    yield service
    service.close()


@pytest.fixture
def changes() -> Callable[..., Any]:
    """Compare what a service holds before and after a block; the block's variable is filled when it ends."""

    @contextmanager
    def watch(service: Service[Any], volatile: dict[str, list[str]] | None = None) -> Iterator[list[Difference]]:
        left_out = {service.name: volatile or {}}
        found: list[Difference] = []
        before = snapshot({service.name: service}, left_out)
        yield found
        found += diff(before, snapshot({service.name: service}, left_out))

    return watch


@pytest.fixture
def airflow_connection(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Give Airflow's hooks a connection through the process environment, without a metadata database."""
    # read when Airflow is first imported
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path_factory.getbasetemp() / "airflow"))

    def give(connection: Connection) -> str:
        monkeypatch.setenv("AIRFLOW_CONN_UNDER_TEST", connection.as_json())
        return "under_test"

    return give


@pytest.fixture
def holding() -> Callable[[Service[Any]], dict[str, Dataset]]:
    """What a service holds, by name."""
    return lambda service: {dataset.name: dataset for dataset in service.snapshot()}
