from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from harness.environment import Environment
from harness.errors import ServiceError
from harness.gate import contracts, rows
from harness.gate.holds import broken
from harness.gate.probe import probe
from harness.session.client import Namespace, Session

pytestmark = pytest.mark.slow

TEXT = """
stage: dev
services:
  postgres: {databases: [warehouse]}
  s3: {buckets: [lake], server: moto}
  kafka: {topics: {revenue: {}}}
"""
CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: revenue_SERVICE
version: 1.0.0
status: active
servers: [{server: SERVICE, type: custom}]
schema:
  - name: revenue
    physicalName: DATASET
    properties:
      - {name: day, logicalType: date, primaryKey: true}
      - {name: country, logicalType: string, required: true}
      - {name: orders, logicalType: integer, required: true, logicalTypeOptions: {minimum: 1}}
      - {name: eur, logicalType: number}
slaProperties: [{property: latency, value: 1, unit: d, element: revenue.day}]
"""
DATASETS = {"postgres": "warehouse.public.revenue", "s3": "lake/gold/revenue", "kafka": "revenue"}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    project = tmp_path_factory.mktemp("project")
    (project / "environments").mkdir()
    (project / "environments" / "dev.yaml").write_text(TEXT)
    with Session(Environment.load("dev", project / "environments")) as session:
        yield session


@pytest.fixture
def namespace(session: Session) -> Iterator[Namespace]:
    with session.namespace() as opened:
        yield opened


def fill(namespace: Namespace, amount: str = "eur") -> None:
    """Put the same row into all three stores."""
    import pyarrow as pa
    from deltalake import write_deltalake

    client = namespace.services["postgres"].client
    client.execute(f"CREATE TABLE revenue (day date, country text, orders bigint, {amount} numeric(9, 2))")
    client.execute("INSERT INTO revenue VALUES ('2026-01-01', 'NL', 2, 1.50)")
    s3 = namespace.services["s3"]
    table = pa.table({"day": [date(2026, 1, 1)], "country": ["NL"], "orders": [2], amount: [Decimal("1.50")]})
    write_deltalake(f"s3://{s3.physical('lake')}/gold/revenue", table, storage_options=s3.storage_options())
    message = f'{{"day": "2026-01-01", "country": "NL", "orders": 2, "{amount}": 1.5}}'
    namespace.services["kafka"].client.produce("revenue", [(None, message)])


def found(folder: Path, namespace: Namespace, service: str, day: int = 2) -> list[str]:
    text = CONTRACT.replace("SERVICE", service).replace("DATASET", DATASETS[service])
    (folder / "revenue.yaml").write_text(text)
    (contract,) = contracts.load(folder)
    read = rows.read(namespace.services[service], contract.dataset)
    return broken(contract, read, datetime(2026, 1, day, tzinfo=UTC))


def test_the_same_words_are_checked_on_a_table_a_delta_table_and_a_topic(tmp_path: Path, namespace: Namespace) -> None:
    fill(namespace)
    assert {service: found(tmp_path, namespace, service) for service in DATASETS} == {name: [] for name in DATASETS}
    stale = {service: found(tmp_path, namespace, service, day=9) for service in DATASETS}
    assert all("the newest `day` is 2026-01-01 00:00" in one for sentences in stale.values() for one in sentences)
    assert all(len(sentences) == 1 for sentences in stale.values())


def test_a_column_that_a_job_renamed_is_told_in_all_three(tmp_path: Path, namespace: Namespace) -> None:
    fill(namespace, "total")
    for service in DATASETS:
        assert found(tmp_path, namespace, service) == [
            f"revenue_{service}: no column `eur`; it has day, country, orders, total"
        ]


@pytest.mark.parametrize("service", ["postgres", "s3"])
def test_a_table_that_is_not_there_is_told_so(namespace: Namespace, service: str) -> None:
    with pytest.raises(ServiceError, match="there is no"):
        rows.read(namespace.services[service], DATASETS[service])


def test_a_probe_sees_what_external_services_hold(session: Session, tmp_path: Path, namespace: Namespace) -> None:
    blocks = []
    for name in ("postgres", "s3", "kafka"):
        at = namespace.services[name].endpoint
        options = ", ".join(f'{key}: "{value}"' for key, value in at.options.items())
        login = f", user: {at.user}, password: {at.password}" if at.user else ""
        names = {"postgres": "databases: [postgres]", "s3": "buckets: [lake]", "kafka": "topics: {revenue: {}}"}[name]
        blocks.append(
            f"  {name}: {{engine: external, host: {at.host}, port: {at.port}{login}, options: {{{options}}}, {names}}}"
        )
    (tmp_path / "prod.yaml").write_text("stage: prod\nservices:\n" + "\n".join(blocks) + "\n")

    seen, asked = probe(Environment.load("prod", tmp_path))

    assert asked == ("postgres", "s3", "kafka")
    assert "postgres" in seen["database"]
    assert namespace.services["s3"].physical("lake") in seen["bucket"]
    assert namespace.services["kafka"].physical("revenue") in seen["topic"]
