"""What an environment may say about one service: the part that all roles share, and what each built-in role adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from harness.models.base import Frozen

EngineName = Literal["embedded", "container", "external"]
Names = Literal["auto", "declared", "renamed"]


def _without_repeats(names: list[str]) -> list[str]:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f"{name!r} is written twice")
    return names


# PostgreSQL folds unquoted names to lower case and cuts them at 63 bytes (manual, 4.1.1)
_DATABASE = r"^[a-z_][a-z0-9_]{0,62}$"
# S3 User Guide, "General purpose bucket naming rules"
_BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
# org.apache.kafka.common.internals.Topic
_TOPIC = r"^[a-zA-Z0-9._-]{1,249}$"
_TARGET = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"
_MEMORY = r"^[1-9][0-9]*[kmg]$"
_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$"
# airflow.models.variable: 250 characters; in the process environment it can hold neither '=' nor a space at its ends
_VARIABLE = r"^[^\s=]([^=\x00]{0,248}[^\s=])?$"
_ENVIRON_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
_MODULE = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"

SHAPES: Mapping[str, str] = {
    _DATABASE: "a database name: lower-case letters, digits and '_', at most 63",
    _BUCKET: "a bucket name: 3 to 63 lower-case letters, digits, '.' and '-'",
    _TOPIC: "a topic name: letters, digits, '.', '_' and '-', at most 249",
    _TARGET: "of the form 'package.module:name'",
    _MEMORY: "an amount of memory such as 512m or 2g",
    _NAME: "a name: letters, digits, '_', '-' and '.'",
    _VARIABLE: "the name of a variable: at most 250 characters, none of them '='",
    _ENVIRON_NAME: "the name of an environment variable",
    _MODULE: "the name of a module",
    r"^[^/\s]+$": "the name of an object in its folder, without '/'",
}
"""What each pattern asks for, in words."""

Database = Annotated[str, StringConstraints(pattern=_DATABASE)]
Bucket = Annotated[str, StringConstraints(pattern=_BUCKET)]
TopicName = Annotated[str, StringConstraints(pattern=_TOPIC)]
Target = Annotated[str, StringConstraints(pattern=_TARGET)]
Name = Annotated[str, StringConstraints(pattern=_NAME)]
VariableName = Annotated[str, StringConstraints(pattern=_VARIABLE)]
EnvironName = Annotated[str, StringConstraints(pattern=_ENVIRON_NAME)]
ModuleName = Annotated[str, StringConstraints(pattern=_MODULE)]
Port = Annotated[int, Field(ge=1, le=65535)]


class ServiceSpec(Frozen):
    """What every service has in common; each role adds its own keys.

    `host`, `port`, `user`, `password` and `options` are for the external engine; `image` and `memory` for containers.
    """

    role: str = Field(default="", description="what it is; by default what its name says")
    engine: EngineName = "embedded"
    names: Names = Field(
        default="auto",
        description="how a namespace calls its things: declared (in a server of its own) or renamed (in a shared one); "
        "auto: declared where one of the names stands in the code",
    )
    start_timeout: float = Field(
        default=120.0, gt=0, le=3600, allow_inf_nan=False, description="seconds until its first round trip must succeed"
    )
    clock: int = Field(default=0, description="embedded: seconds that its clock is off; needs libfaketime")
    host: str | None = Field(default=None, min_length=1, description="external: where it is")
    port: Port | None = None
    user: str | None = None
    password: str | None = Field(default=None, description="external: from a variable, as ${PGPASSWORD}")
    options: dict[str, str] = Field(default_factory=dict, description="external: what only this role needs")
    image: str | None = Field(default=None, min_length=1, description="container: name, best with its digest")
    memory: str | None = Field(default=None, pattern=_MEMORY, description="container: such as 512m")


class PostgresSpec(ServiceSpec):
    """A Postgres server and the databases that must be there."""

    role: Literal["postgres"] = "postgres"
    databases: Annotated[list[Database], AfterValidator(_without_repeats)] = Field(default_factory=list)


class S3Spec(ServiceSpec):
    """An object store and its buckets."""

    role: Literal["s3"] = "s3"
    buckets: Annotated[list[Bucket], AfterValidator(_without_repeats)] = Field(default_factory=list)
    server: Literal["auto", "moto", "minio"] = Field(default="auto", description="auto: minio when it is on PATH")


class TopicSpec(Frozen):
    """One Kafka topic."""

    partitions: int = Field(default=1, ge=1, le=1000)
    config: dict[str, str] = Field(default_factory=dict, description="the topic's own settings: retention.ms and so on")


class KafkaSpec(ServiceSpec):
    """A broker and its topics."""

    role: Literal["kafka"] = "kafka"
    topics: dict[TopicName, TopicSpec] = Field(default_factory=dict)


class SparkSpec(ServiceSpec):
    """A resident Spark driver."""

    role: Literal["spark"] = "spark"
    packages: Annotated[list[Literal["delta", "kafka", "s3", "postgres"]], AfterValidator(_without_repeats)] = Field(
        default_factory=list
    )
    master: str = Field(default="local[2]", min_length=1)
    conf: dict[str, str] = Field(default_factory=dict)
    connect: bool = Field(default=False, description="container: a Spark Connect server beside the cluster")


class HttpSpec(ServiceSpec):
    """Synthetic upstream systems: one ASGI application for each name, as `module:attribute`."""

    role: Literal["http"] = "http"
    apps: dict[str, Target] = Field(default_factory=dict)
    idempotency: list[str] = Field(
        default=["Idempotency-Key", "X-Idempotency-Key"],
        description="headers by which an upstream knows a call again; with the same value it counts once",
    )


class SmtpSpec(ServiceSpec):
    """A mail server; the embedded one keeps what is sent.

    An external one says by `options: {security: starttls}` (or `tls`, `none`) how it is spoken to.
    """

    role: Literal["smtp"] = "smtp"
    sender: str = Field(default="airflow@example.org", min_length=3, description="who mails are from by default")
