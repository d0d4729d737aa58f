"""What an environment file may say: frozen models, one for each block of the YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)

from harness.environment.roles import specify
from harness.environment.service import (
    EngineName,
    EnvironName,
    HttpSpec,
    KafkaSpec,
    ModuleName,
    Name,
    Port,
    PostgresSpec,
    S3Spec,
    ServiceSpec,
    SmtpSpec,
    SparkSpec,
    Target,
    TopicSpec,
    VariableName,
)
from harness.models.base import Frozen

__all__ = [
    "AirflowSpec",
    "ApprovalsSpec",
    "ConnectionSpec",
    "DagSpec",
    "DataSpec",
    "DateRange",
    "DriftSpec",
    "EmptyInterval",
    "EngineName",
    "EnvironmentSpec",
    "GateSpec",
    "HttpSpec",
    "KafkaSpec",
    "NameRef",
    "PostgresSpec",
    "ProofsSpec",
    "Requirement",
    "S3Spec",
    "ServiceSpec",
    "SmtpSpec",
    "SparkSpec",
    "Stage",
    "StateDeclaration",
    "TopicSpec",
]

Stage = Literal["dev", "test", "acc", "prod"]
Property = Literal[
    "rerun", "order", "backfill", "atomic", "isolation", "empty", "outage", "resume", "clock", "concurrent", "masked",
    "deadline", "secrets", "sequence",
]  # fmt: skip
TaskState = Literal["success", "failed", "upstream_failed", "skipped", "removed"]
Reason = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class ConnectionSpec(Frozen):
    """An Airflow connection: either to a service of this environment, or with its coordinates."""

    model_config = ConfigDict(serialize_by_alias=True)

    service: str | None = None
    database: str | None = None
    bucket: str | None = None
    app: str | None = None
    conn_type: str | None = Field(default=None, min_length=1)
    host: str | None = None
    login: str | None = None
    password: str | None = None
    schema_: str | None = Field(default=None, alias="schema")
    port: Port | None = None
    extra: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_kind(self) -> ConnectionSpec:
        if self.service is None:
            parts = [kind for kind in ("database", "bucket", "app") if getattr(self, kind) is not None]
            if parts:
                raise ValueError(f"{parts[0]!r} belongs to a service; say which with 'service'")
            if self.conn_type is None:
                raise ValueError("needs a 'service' of this environment, or a 'conn_type' with its coordinates")
            return self
        given = [name for name in ("host", "login", "password", "port") if getattr(self, name) is not None]
        given += ["schema"] if self.schema_ is not None else []
        if given:
            raise ValueError(f"{given[0]!r} comes from the service {self.service!r}; remove one of the two")
        return self


Part = Literal["url", "address", "host", "port", "user", "password"]


class NameRef(Frozen):
    """A value that a service gives: the physical name of a bucket, topic or database, or a part of its coordinates.

    It stands for a variable of Airflow's or of the process environment. A namespace can rename what it names.
    """

    service: str
    bucket: str | None = None
    topic: str | None = None
    database: str | None = None
    part: Part | None = Field(default=None, description="address is host:port; the url of a database holds its name")

    @model_validator(mode="after")
    def _one_name(self) -> NameRef:
        named = [kind for kind in ("bucket", "topic", "database", "part") if getattr(self, kind) is not None]
        if len(named) != 1 and not (self.part == "url" and named == ["database", "part"]):
            found = " and ".join(named) if named else "none"
            raise ValueError(
                f"a variable that names a service names one bucket, topic, database or part of it; found {found}"
            )
        return self

    @property
    def example(self) -> str:
        """A value of the same shape, for code that is loaded where no service runs."""
        shapes = {"url": "http://127.0.0.1:1", "address": "127.0.0.1:1", "host": "127.0.0.1", "port": "1"}
        return self.bucket or self.topic or shapes.get(self.part or "") or self.database or str(self.part)


def _reference_or_json(value: Any, info: ValidationInfo) -> Any:
    """Take a mapping with `service` for a reference, so that a typo in one is found; such JSON is written as text."""
    if isinstance(value, Mapping) and "service" in value:
        return NameRef.model_validate(value, strict=bool((info.context or {}).get("strict")))
    return value


def _reference_or_text(value: Any, info: ValidationInfo) -> Any:
    """Take a mapping for a reference and all else for text, so that an error speaks of the one that was meant."""
    if isinstance(value, Mapping):
        return NameRef.model_validate(value, strict=bool((info.context or {}).get("strict")))
    return value if isinstance(value, NameRef) else TypeAdapter(str).validate_python(value)


class AirflowSpec(Frozen):
    """What a DAG finds in Airflow."""

    mode: Literal["inline", "platform"] = "inline"
    connections: dict[Name, ConnectionSpec] = Field(default_factory=dict)
    variables: dict[VariableName, Annotated[NameRef | Any, BeforeValidator(_reference_or_json)]] = Field(
        default_factory=dict
    )
    pools: dict[str, Annotated[int, Field(ge=1, le=10_000)]] = Field(default_factory=dict)
    environ: dict[EnvironName, Annotated[NameRef | str, BeforeValidator(_reference_or_text)]] = Field(
        default_factory=dict, description="process environment of every task"
    )

    @field_validator("connections", "variables")
    @classmethod
    def _told_apart(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Names reach Airflow through the process environment, which has them in capitals ("Managing Variables")."""
        seen: dict[str, str] = {}
        for name in value:
            if other := seen.get(name.upper()):
                raise ValueError(f"{other!r} and {name!r} are one name for Airflow, which writes both in capitals")
            seen[name.upper()] = name
        return value


Change = Literal["value", "more", "less"]


class DataSpec(Frozen):
    """How much data the sources make."""

    volume: Literal["dev", "test", "acc"] = Field(default="dev", description="names the source's own count")
    days: int = Field(default=3, ge=1, le=366)
    seed: int = Field(default=42, ge=0, le=2**63 - 1)
    change: Change | None = Field(
        default=None, description="set by proofs: how a seed's rows shall differ from those that it makes else"
    )


def _calendar_day(value: Any) -> Any:
    """Dates are text in the file: only `YYYY-MM-DD` is one, where pydantic alone would take seconds since 1970 too."""
    if not isinstance(value, str):
        if isinstance(value, date):
            return value
        raise ValueError("expected a date such as 2026-01-31")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value[:40]!r} is not a date such as 2026-01-31") from None


Day = Annotated[date, BeforeValidator(_calendar_day)]


class DateRange(Frozen):
    """Logical dates: all from one to another, both included; or certain days, which the file has as a list."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None
    days: list[Day] = Field(default_factory=list)

    @model_validator(mode="after")
    def _forward(self) -> DateRange:
        if self.days:
            if self.from_ or self.to:
                raise ValueError("has 'days' beside 'from' or 'to'; write one of the two")
            return self
        if self.from_ is None or self.to is None:
            raise ValueError(f"needs {'from' if self.from_ is None else 'to'!r} too, or a list of dates in its place")
        if self.from_ > self.to:
            raise ValueError(f"'from' {self.from_} is after 'to' {self.to}")
        return self

    @property
    def spans(self) -> list[tuple[date, date]]:
        """The first and the last day of each unbroken part."""
        if self.from_ is not None and self.to is not None:
            return [(self.from_, self.to)]
        return [(day, day) for day in sorted(set(self.days))]


def _days_as_a_list(value: Any) -> Any:
    return {"days": value} if isinstance(value, list) else value


class StateDeclaration(Frozen):
    """Task states that are not a failure, and why."""

    states: list[TaskState] = Field(min_length=1)
    reason: Reason


class EmptyInterval(Frozen):
    """What a DAG does with an interval that has no input, and why."""

    outcome: Literal["skip", "empty", "fail"]
    reason: Reason


class AssetEvent(Frozen):
    """An asset event that starts a DAG, told by no task of the run."""

    asset: str = Field(min_length=1, description="name or URI of an asset, or name of an alias")
    extra: dict[str, Any] = Field(default_factory=dict, description="what the event says")


class AnswerSpec(Frozen):
    """What a person answers a task that asks (a HITL operator)."""

    options: list[str] = Field(default_factory=list, description="chosen; default: the task's own default")
    params: dict[str, Any] = Field(default_factory=dict, description="what stands in the form, where it is filled in")


class ProofsSpec(Frozen):
    """Proofs that are not asked of a DAG: property to reason."""

    skip: dict[Property, Reason] = Field(default_factory=dict)


class DagSpec(Frozen):
    """What is declared about one DAG; all of it optional.

    `outputs`, `untouched`, `staging` and `volatile` go by the service's name, then by the names of tables, objects or
    topics in it.
    """

    seed: Target | None = Field(default=None, description="module:function(services, dates, data)")
    dates: Annotated[
        DateRange | None, BeforeValidator(_days_as_a_list, json_schema_input_type=DateRange | list[Day] | None)
    ] = Field(default=None, description="what a run or proof uses when no date is given: a range, or a list")
    conf: dict[str, Any] | None = Field(
        default=None, description="what `dag_run.conf` holds when none is given; `{{ ds }}` is the run's logical date"
    )
    answers: dict[str, AnswerSpec] = Field(
        default_factory=dict, description="what a person answers, by the task that asks"
    )
    events: list[AssetEvent] = Field(
        default_factory=list, description="asset events that start a run of a DAG that is scheduled on assets"
    )
    outputs: dict[str, list[str]] = Field(default_factory=dict, description="what is published; default: all changes")
    untouched: dict[str, dict[str, Reason]] = Field(
        default_factory=dict, description="outputs that a run may leave as they are, each with the reason"
    )
    staging: dict[str, list[str]] = Field(default_factory=dict, description="never compared")
    volatile: dict[str, dict[str, dict[str, Reason]]] = Field(
        default_factory=dict, description="columns that may differ, each with the reason"
    )
    expect: dict[str, StateDeclaration] = Field(default_factory=dict)
    marker: str = Field(
        default="_SUCCESS",
        pattern=r"^[^/\s]+$",
        description="the object that says that a folder is complete; without it its readers take nothing from there",
    )
    empty: EmptyInterval | None = None
    proofs: ProofsSpec = ProofsSpec()


def _age(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[1-9][0-9]*[smhd]", value):
        raise ValueError(f"{value[:40]!r} is not a time such as 45m, 12h or 7d")
    return value


Age = Annotated[str, BeforeValidator(_age)]
Requirement = Literal["integrity", "unit", "runs", "proofs", "contracts", "drift"]


class ApprovalsSpec(Frozen):
    """Who may say yes, and how that is known to be them."""

    names: list[str] = Field(min_length=1)
    keys: list[str] = Field(default_factory=list, description="files of public keys (PEM), from the project's root")
    signed: bool = Field(default=False, description="an approval without a signature of one of the keys is refused")


class DriftSpec(Frozen):
    """Differences to the stage before that are meant."""

    allow: dict[str, Reason] = Field(
        default_factory=dict, description="`kind name` (with * and ?), as `harness diff` prints it -> the reason"
    )


class GateSpec(Frozen):
    """What this stage requires before it may be entered."""

    requires: list[Requirement] = Field(default_factory=list)
    after: Name | None = Field(default=None, description="environment whose evidence must be valid first")
    runs: list[str] = Field(default_factory=list, description="DAGs that must run; all of them when it is empty")
    proofs: list[Property] = Field(default_factory=list, description="properties to prove; all when it is empty")
    proofs_in: Name | None = Field(
        default=None, description="environment to prove in, when not this one: proofs are many runs, of little data"
    )
    unit: list[str] = Field(default=["tests/unit"], description="folders of the unit tests, from the project's root")
    max_age: Age = Field(default="30d", description="older evidence does not count")
    deadline: Age = Field(default="1h", description="time for all runs of one DAG, and for the unit tests")
    fidelity: list[str] = Field(
        default_factory=list, description="what the engines must be able to show: s3:signatures"
    )
    keys: list[str] = Field(
        default_factory=list, description="files of public keys (PEM); evidence must be signed with one of them"
    )
    approvals: ApprovalsSpec | None = None
    drift: DriftSpec = DriftSpec()


class EnvironmentSpec(Frozen):
    """One stage, resolved: parents merged, variables filled, references checked."""

    stage: Stage
    plugins: list[ModuleName] = Field(
        default_factory=list, description="the project's own modules with hooks, importable from its root"
    )
    services: dict[Name, SerializeAsAny[ServiceSpec]] = Field(default_factory=dict)
    airflow: AirflowSpec = AirflowSpec()
    data: DataSpec = DataSpec()
    egress: dict[str, Reason] = Field(
        default_factory=dict,
        description="addresses outside that tasks may connect to: `host`, `host:port` or `*.example.com` -> why",
    )
    dags: dict[str, DagSpec] = Field(default_factory=dict)
    gate: GateSpec = GateSpec()

    @field_validator("services", mode="before")
    @classmethod
    def _by_role(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, Mapping):
            return value
        return specify(value, info.data.get("plugins", ()), info.context or {})
