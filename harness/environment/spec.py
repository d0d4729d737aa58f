"""What an environment file may say: frozen models, one for each block of the YAML."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from harness.models.base import Frozen

Stage = Literal["dev", "test", "acc", "prod"]
EngineName = Literal["embedded", "container", "external"]


class ServiceSpec(Frozen):
    """What every service has in common; each role adds its own keys."""

    engine: EngineName = "embedded"
    start_timeout: PositiveFloat = Field(default=120.0, description="seconds until its first round trip must succeed")


class PostgresSpec(ServiceSpec):
    """A Postgres server and the databases that must be there."""

    databases: list[str] = Field(default_factory=list)


class S3Spec(ServiceSpec):
    """An object store and its buckets."""

    buckets: list[str] = Field(default_factory=list)
    server: Literal["auto", "moto", "minio"] = Field(default="auto", description="auto: minio when it is on PATH")


class TopicSpec(Frozen):
    """One Kafka topic."""

    partitions: PositiveInt = 1
    config: dict[str, str] = Field(default_factory=dict)


class KafkaSpec(ServiceSpec):
    """A broker and its topics."""

    topics: dict[str, TopicSpec] = Field(default_factory=dict)


class SparkSpec(ServiceSpec):
    """A resident Spark driver."""

    packages: list[Literal["delta", "kafka", "s3", "postgres"]] = Field(default_factory=list)
    master: str = "local[2]"
    conf: dict[str, str] = Field(default_factory=dict)


class HttpSpec(ServiceSpec):
    """Synthetic upstream systems: one ASGI application for each name, as `module:attribute`."""

    apps: dict[str, str] = Field(default_factory=dict)


class ConnectionSpec(Frozen):
    """An Airflow connection: either to a service of this environment, or with its coordinates."""

    service: str | None = None
    database: str | None = None
    bucket: str | None = None
    app: str | None = None
    conn_type: str | None = None
    host: str | None = None
    login: str | None = None
    password: str | None = None
    schema_: str | None = Field(default=None, alias="schema")
    port: int | None = None
    extra: dict[str, Any] = Field(default_factory=dict)


class NameRef(Frozen):
    """A variable whose value is the physical name of a bucket, topic or database, so that a namespace can rename it."""

    service: str
    bucket: str | None = None
    topic: str | None = None
    database: str | None = None


class AirflowSpec(Frozen):
    """What a DAG finds in Airflow."""

    mode: Literal["inline", "platform"] = "inline"
    connections: dict[str, ConnectionSpec] = Field(default_factory=dict)
    variables: dict[str, NameRef | Any] = Field(default_factory=dict)
    pools: dict[str, PositiveInt] = Field(default_factory=dict)
    environ: dict[str, str] = Field(default_factory=dict, description="process environment of every task")


class DataSpec(Frozen):
    """How much data the sources make."""

    volume: Literal["dev", "test", "acc"] = "dev"
    days: PositiveInt = 3
    seed: int = 42


class DateRange(Frozen):
    """Logical dates, both ends included."""

    from_: date = Field(alias="from")
    to: date


class StateDeclaration(Frozen):
    """Task states that are not a failure, and why."""

    states: list[str]
    reason: str


class EmptyInterval(Frozen):
    """What a DAG does with an interval that has no input, and why."""

    outcome: Literal["skip", "empty", "fail"]
    reason: str


class ProofsSpec(Frozen):
    """Proofs that are not asked of a DAG: property to reason."""

    skip: dict[str, str] = Field(default_factory=dict)


class DagSpec(Frozen):
    """What is declared about one DAG; all of it optional."""

    seed: str | None = Field(default=None, description="module:function(services, dates, data)")
    dates: DateRange | None = None
    outputs: dict[str, list[str]] = Field(default_factory=dict)
    staging: dict[str, list[str]] = Field(default_factory=dict)
    volatile: dict[str, dict[str, dict[str, str]]] = Field(default_factory=dict)
    expect: dict[str, StateDeclaration] = Field(default_factory=dict)
    empty: EmptyInterval | None = None
    proofs: ProofsSpec = ProofsSpec()


class GateSpec(Frozen):
    """What this stage requires before it may be entered."""

    requires: list[Literal["integrity", "unit", "runs", "proofs", "contracts", "drift"]] = Field(default_factory=list)


class EnvironmentSpec(Frozen):
    """One stage, resolved: parents merged, variables filled, references checked."""

    stage: Stage
    services: dict[str, ServiceSpec] = Field(default_factory=dict)
    airflow: AirflowSpec = AirflowSpec()
    data: DataSpec = DataSpec()
    dags: dict[str, DagSpec] = Field(default_factory=dict)
    gate: GateSpec = GateSpec()
