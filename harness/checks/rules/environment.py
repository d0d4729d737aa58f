"""Whether an environment has what a DAG uses; asked only when an environment is named (`--env`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from harness.checks.project import Project
from harness.checks.registry import Hit, rule
from harness.checks.usage import Kind, lacking
from harness.environment.suggest import did_you_mean

FAMILY = "environment"


def _missing(project: Project, environment: Any, kind: Kind, present: Iterable[str], where: str) -> Iterator[Hit]:
    names = list(present)
    for use in lacking(project.usages, kind, names):
        hint = did_you_mean(use.name, names) or f"add it under {where}"
        message = f"{environment.name} has no {kind} {use.name!r}"
        yield Hit(use.line, message, hint, use.column, use.dag_id, path=use.path)


@rule("DAG801", "missing-connection", family=FAMILY, severity="error")
def missing_connection(project: Project, environment: Any) -> Iterator[Hit]:
    """A connection is used that the environment does not have.

    The task fails on that stage, and on no other. Airflow 3 makes no default connections.

    Bad:
        with DAG("orders", schedule=None):
            SQLExecuteQueryOperator(task_id="load", conn_id="warehose", sql="select 1")  # <-
    Good:
        with DAG("orders", schedule=None):
            SQLExecuteQueryOperator(task_id="load", conn_id="warehouse", sql="select 1")
    Tricky:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load {{ conn['warehose'].host }}")  # <-
    Limits: a connection whose id is computed is not judged.
    Source: "Data Pipelines with Apache Airflow", chapter 6: a missing `fs_default`.
    """
    if environment is not None:
        given = {
            n.removeprefix("AIRFLOW_CONN_").lower() for n in environment.spec.airflow.environ if "AIRFLOW_CONN_" in n
        }
        present = [*environment.spec.airflow.connections, *given]
        yield from _missing(project, environment, "connection", present, "airflow.connections")


@rule("DAG802", "missing-variable", family=FAMILY, severity="error")
def missing_variable(project: Project, environment: Any) -> Iterator[Hit]:
    """A variable is used that the environment does not have.

    Bad:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load {{ var.value.regoin }}")  # <-
    Good:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load {{ var.value.region }}")
    Tricky:
        from airflow.sdk import Variable as V
        @task
        def load():
            print(V.get("region", default=""), V.get("regoin"))  # <-
    Limits: a variable with a default may be missing.
    Source: Airflow documentation, Variables.
    """
    if environment is not None:
        given = {
            n.removeprefix("AIRFLOW_VAR_").lower() for n in environment.spec.airflow.environ if "AIRFLOW_VAR_" in n
        }
        yield from _missing(
            project, environment, "variable", [*environment.spec.airflow.variables, *given], "airflow.variables"
        )


@rule("DAG803", "missing-pool", family=FAMILY, severity="error")
def missing_pool(project: Project, environment: Any) -> Iterator[Hit]:
    """A pool is used that the environment does not have.

    The task is never scheduled, and waits without an error.

    Bad:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load", pool="sprak")  # <-
    Good:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load", pool="spark")
    Tricky:
        DEFAULTS = {"pool": "gpu"}
        with DAG("orders", schedule=None, default_args=DEFAULTS):
            BashOperator(task_id="load", bash_command="load")  # <-
    Source: "Data Pipelines with Apache Airflow", chapter 11: an undeclared pool waits for ever.
    """
    if environment is not None:
        yield from _missing(
            project, environment, "pool", [*environment.spec.airflow.pools, "default_pool"], "airflow.pools"
        )


@rule("DAG807", "pool-too-small", family=FAMILY, severity="error")
def pool_too_small(project: Project, environment: Any) -> Iterator[Hit]:
    """A task takes more slots than its pool has in the environment.

    It can never start, and waits without an error.

    Bad:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load", pool="spark", pool_slots=4)  # <-
    Good:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load", pool="spark", pool_slots=1)
    Tricky:
        DEFAULTS = {"pool": "spark"}
        with DAG("orders", schedule=None, default_args=DEFAULTS):
            @task(pool_slots=1 + 1)
            def load():
                print("loading")
            load()  # <-
    Limits: the default pool has 128 slots where the environment says nothing else.
    Source: Airflow documentation, "Pools": `pool_slots`.
    """
    pools = {"default_pool": 128, **environment.spec.airflow.pools} if environment is not None else {}
    for use in project.usages:
        if use.kind == "pool" and use.name in pools and use.slots > pools[use.name]:
            message = f"a task takes {use.slots} slots of the pool {use.name!r}, which has {pools[use.name]} in "
            hint = "it can never start: fewer pool_slots, or more under airflow.pools"
            yield Hit(use.line, message + environment.name, hint, use.column, use.dag_id, path=use.path)


@rule("DAG808", "missing-database", family=FAMILY, severity="error")
def missing_database(project: Project, environment: Any) -> Iterator[Hit]:
    """A Postgres database is named that the environment does not have.

    The task cannot connect on that stage.

    Bad:
        from airflow.providers.postgres.hooks.postgres import PostgresHook
        @task
        def load():
            PostgresHook("warehouse", database="warehose").run("select 1")  # <-
    Good:
        from airflow.providers.postgres.hooks.postgres import PostgresHook
        @task
        def load():
            PostgresHook("warehouse", database="warehouse").run("select 1")
    Tricky:
        NAME = "ware" + "hose"
        with DAG("orders", schedule=None):
            SQLExecuteQueryOperator(task_id="load", conn_id="warehouse", database=NAME, sql="select 1")  # <-
    Limits: checked only where the environment declares databases; a name in `hook_params` is not seen.
    Source: PostgreSQL, error 3D000, invalid_catalog_name.
    """
    yield from _declared(project, environment, "database", "databases", "services.postgres.databases")


@rule("DAG804", "missing-topic", family=FAMILY, severity="error")
def missing_topic(project: Project, environment: Any) -> Iterator[Hit]:
    """A Kafka topic is used that the environment does not have.

    A broker that makes topics by itself gives it one partition; one that does not refuses.

    Bad:
        from airflow.providers.apache.kafka.operators.produce import ProduceToTopicOperator
        with DAG("orders", schedule=None):
            ProduceToTopicOperator(task_id="send", topic="order", producer_function=print)  # <-
    Good:
        from airflow.providers.apache.kafka.operators.produce import ProduceToTopicOperator
        with DAG("orders", schedule=None):
            ProduceToTopicOperator(task_id="send", topic="orders", producer_function=print)
    Tricky:
        from airflow.providers.apache.kafka.operators import produce as p
        TOPIC = "or" + "der"
        with DAG("orders", schedule=None):
            p.ProduceToTopicOperator(task_id="send", topic=TOPIC, producer_function=print)  # <-
    Limits: checked only where the environment declares topics.
    Source: Apache Kafka documentation, `auto.create.topics.enable`.
    """
    yield from _declared(project, environment, "topic", "topics", "services.kafka.topics")


@rule("DAG805", "missing-bucket", family=FAMILY, severity="error")
def missing_bucket(project: Project, environment: Any) -> Iterator[Hit]:
    """A bucket is used that the environment does not have.

    Bad:
        with DAG("orders", schedule=None):
            S3KeySensor(task_id="wait", bucket_name="landng", bucket_key="orders", timeout=60, mode="reschedule")  # <-
    Good:
        with DAG("orders", schedule=None):
            S3KeySensor(task_id="wait", bucket_name="landing", bucket_key="orders", timeout=60, mode="reschedule")
    Tricky:
        ROOT = "s3://landng"
        with DAG("orders", schedule=None):
            S3KeySensor(task_id="wait", bucket_key=f"{ROOT}/orders.json", timeout=60, mode="reschedule")  # <-
    Limits: checked only where the environment declares buckets.
    Source: Amazon S3 documentation, NoSuchBucket.
    """
    yield from _declared(project, environment, "bucket", "buckets", "services.s3.buckets")


def _declared(project: Project, environment: Any, kind: Kind, key: str, where: str) -> Iterator[Hit]:
    services = environment.spec.services.values() if environment is not None else ()
    present = [name for service in services for name in getattr(service, key, None) or ()]
    if present:
        yield from _missing(project, environment, kind, present, where)


@rule("DAG806", "missing-environ", family=FAMILY, severity="error")
def missing_environ(project: Project, environment: Any) -> Iterator[Hit]:
    """A process variable is read that the environment does not set.

    `os.environ["X"]` raises a KeyError; at the top of a file the DAG disappears.

    Bad:
        import os
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load " + os.environ["REGOIN"])  # <-
    Good:
        import os
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load " + os.environ["REGION"])
    Tricky:
        from os import environ as e
        @task
        def load():
            print(e["REGOIN"])  # <-
    Limits: `os.environ.get` and `os.getenv` can do without, and are left out; so is what this process has.
    Source: Python documentation, os.environ.
    """
    if environment is not None:
        present = [*environment.spec.airflow.environ, *os.environ]
        yield from _missing(project, environment, "environ", present, "airflow.environ")
