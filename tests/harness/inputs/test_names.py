"""Which names are taken to stand in the code of a DAG."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.environment import Environment
from harness.inputs.names import Code

ENVIRONMENT = """
stage: dev
services:
  s3: {buckets: [landing, lake]}
  kafka: {topics: {orders: {}}}
  postgres: {databases: [warehouse]}
  spark: {}
airflow:
  connections:
    warehouse: {service: postgres, database: warehouse}
    lake: {service: s3}
  variables:
    landing_bucket: {service: s3, bucket: landing}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "dev.yaml").write_text(ENVIRONMENT)
    (tmp_path / "dags").mkdir()
    return tmp_path


def found(project: Path, *dag_ids: str) -> set[tuple[str, str]]:
    environment = Environment.load("dev", folder=project / "environments")
    code = Code(project, project / "dags", environment.spec)
    return {(one.service, one.name) for one in code.of(dag_ids or None)}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('S3Hook().load_string("x", key="k", bucket_name="landing")', {("s3", "landing")}),
        ('client.put_object(Bucket="lake", Key="k")', {("s3", "lake")}),
        ('BUCKET = "landing"', {("s3", "landing")}),
        ('read(f"s3a://lake/orders/{day}")', {("s3", "lake")}),
        ('read("s3://elsewhere/orders")', {("s3", "elsewhere")}),
        ('open_file("landing/2026/orders.csv")', {("s3", "landing")}),
        ('ProduceToTopicOperator(topic="orders")', {("kafka", "orders")}),
        ('consumer.subscribe(["orders"])', {("kafka", "orders")}),
        ('Consumer({"group.id": "loader"})', {("kafka", "loader")}),
        ('PostgresHook("warehouse", database="warehouse")', {("postgres", "warehouse")}),
        ('create_engine(f"postgresql+psycopg://{user}:{password}@{host}/warehouse")', {("postgres", "warehouse")}),
        ('import pyspark\nspark.sql("create database silver")', {("spark", "silver")}),
        ('import pyspark\nframe.write.saveAsTable("silver.orders")', {("spark", "silver")}),
        ('import pyspark\nspark.sql("select * from silver.orders")', {("spark", "silver")}),
    ],
)
def test_a_name_in_the_code_is_found(project: Path, code: str, expected: set[tuple[str, str]]) -> None:
    (project / "dags" / "it.py").write_text(code)
    assert found(project) == expected


@pytest.mark.parametrize(
    "code",
    [
        'S3Hook("lake").load_string("x", key="k", bucket_name=Variable.get("landing_bucket"))',
        'Variable.get("landing")',
        'PostgresHook(postgres_conn_id="warehouse")',
        'SQLExecuteQueryOperator(task_id="orders", conn_id="warehouse", sql="select 1")',
        '"""Reads s3://landing and the topic orders."""',
        'S3Hook("lake")',
        'spark.sql("select * from delta.`s3_path`")',
    ],
)
def test_what_names_something_else_is_not(project: Path, code: str) -> None:
    (project / "dags" / "it.py").write_text(code)
    assert found(project) == set()


def test_only_the_files_of_the_dag_and_what_they_use_count(project: Path) -> None:
    (project / "jobs").mkdir()
    (project / "jobs" / "load.py").write_text('TARGET = "s3a://lake/orders"')
    (project / "dags" / "one.py").write_text('from jobs.load import TARGET\nDAG("one")')
    (project / "dags" / "two.py").write_text('DAG("two")\ntopic = "orders"')
    assert found(project, "one") == {("s3", "lake")}
    assert found(project, "two") == {("kafka", "orders")}


def test_a_dag_that_is_triggered_counts_too(project: Path) -> None:
    (project / "dags" / "one.py").write_text('DAG("one")\nTriggerDagRunOperator(trigger_dag_id="two")')
    (project / "dags" / "two.py").write_text('DAG("two")\ntopic = "orders"')
    assert found(project, "one") == {("kafka", "orders")}


def test_a_dag_whose_id_no_file_names_may_be_in_any(project: Path) -> None:
    (project / "dags" / "made.py").write_text('for name in names:\n    DAG(f"load_{name}")\nbucket = "landing"')
    assert found(project, "load_a") == {("s3", "landing")}


def test_plain_values_of_the_environment_are_names_too(project: Path) -> None:
    path = project / "environments" / "dev.yaml"
    path.write_text(path.read_text() + "    target: lake\n")
    (project / "dags" / "it.py").write_text('bucket = Variable.get("target")')
    assert found(project) == {("s3", "lake")}


def test_a_configuration_file_that_the_code_names_is_read(project: Path) -> None:
    (project / "dags" / "sources.yaml").write_text("sources: [{topic: orders, to: raw}]")
    (project / "dags" / "it.py").write_text('SOURCES = load("sources.yaml")')
    assert found(project) == {("kafka", "orders")}
