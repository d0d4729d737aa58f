from __future__ import annotations

from pathlib import Path

import pytest

from harness.checks.usage import Usage
from harness.environment import Environment
from harness.gate.drift import compare, undeclared

TEST = """
stage: test
services:
  postgres: {databases: [warehouse]}
  kafka: {topics: {orders: {}}}
airflow:
  connections:
    warehouse: {service: postgres, database: warehouse}
    partner: {conn_type: http, host: a.example.com}
    store: {conn_type: aws}
  variables: {region: eu-west-1, limits: {rows: 1}, topic: {service: kafka, topic: orders}}
  pools: {spark: 1}
  environ: {MODE: fast}
"""


def load(folder: Path, text: str, name: str) -> Environment:
    (folder / "environments").mkdir(exist_ok=True)
    (folder / "environments" / f"{name}.yaml").write_text(text)
    return Environment.load(name, folder / "environments")


def differences(folder: Path, acc: str, *uses: Usage) -> list[str]:
    a, b = load(folder, TEST, "test"), load(folder, acc, "acc")
    return [one.sentence for one in compare(a, b, uses, project=folder.resolve())]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "", []),
        ("host: a.example.com", "host: b.example.com", []),
        ("    partner: {conn_type: http, host: a.example.com}\n", "", ["connection partner: missing"]),
        ("pools: {spark: 1}", "pools: {}", ["pool spark: missing"]),
        ("MODE: fast", "OTHER: x", ["environ MODE: missing", "environ OTHER: extra"]),
        ("region: eu-west-1, ", "", ["variable region: missing"]),
        ("region: eu-west-1", "region: us-east-1, more: x", ["variable more: extra"]),
        ("limits: {rows: 1}", "limits: none", ["variable limits: type differs (object -> text)"]),
        (
            "{service: kafka, topic: orders}",
            "orders",
            ["variable topic: type differs (name of a topic -> text)"],
        ),
        ("conn_type: http", "conn_type: ftp", ["connection partner: type differs (http -> ftp)"]),
        ("conn_type: aws", "conn_type: wasb", ["connection store: type differs (aws -> wasb)"]),
        ("databases: [warehouse]", "databases: [warehouse, audit]", ["database audit: extra"]),
        ("topics: {orders: {}}", "topics: {orders: {}, clicks: {}}", ["topic clicks: extra"]),
    ],
)
def test_a_difference_is_told_by_kind_and_name(tmp_path: Path, before: str, after: str, expected: list[str]) -> None:
    acc = TEST.replace("stage: test", "stage: acc").replace(before, after)
    assert differences(tmp_path, acc) == expected


def test_values_are_never_told(tmp_path: Path) -> None:
    acc = TEST.replace("limits: {rows: 1}", "limits: secret-a").replace("host: a.example.com", "host: secret-b")
    assert "secret" not in "".join(differences(tmp_path, acc))


def test_a_version_that_differs_is_told(tmp_path: Path) -> None:
    image = "stage: test\nservices: {kafka: {engine: container, image: 'apache/kafka:4.1.0'}}"
    a = load(tmp_path, image, "test")
    b = load(tmp_path, image.replace("4.1.0", "3.9.1").replace("apache/", "mirror.example.com:5000/x/"), "acc")
    assert [one.sentence for one in compare(a, b, ())] == ["service kafka: version differs (4.1.0 -> 3.9.1)"]


def test_what_is_missing_is_told_with_the_places_that_use_it(tmp_path: Path) -> None:
    use = Usage(kind="connection", name="partner", path=str(tmp_path / "dags" / "a.py"), line=12, dag_id="a")
    acc = TEST.replace("    partner: {conn_type: http, host: a.example.com}\n", "")
    assert differences(tmp_path, acc, use) == ["connection partner: missing; used at dags/a.py:12"]


@pytest.mark.parametrize(
    ("optional", "expected"), [(False, ["variable colour: missing (used, and in neither)"]), (True, [])]
)
def test_what_no_environment_has_is_missing_unless_the_code_can_do_without(
    tmp_path: Path, optional: bool, expected: list[str]
) -> None:
    use = Usage(kind="variable", name="colour", path="dags/a.py", line=3, optional=optional)
    found = differences(tmp_path, TEST, use)
    assert [one.partition(";")[0] for one in found] == expected


def test_a_difference_that_is_declared_with_a_reason_is_no_drift(tmp_path: Path) -> None:
    allow = "gate: {drift: {allow: {'pool *': 'production has one for each team'}}}\n"
    a, b = load(tmp_path, TEST, "test"), load(tmp_path, TEST.replace("spark: 1", "etl: 4") + allow, "acc")
    found = compare(a, b, ())
    assert [(one.name, one.change, one.allowed) for one in found] == [
        ("etl", "extra", "production has one for each team"),
        ("spark", "missing", "production has one for each team"),
    ]
    assert undeclared(found) == []


def test_what_is_declared_and_not_there_is_missing(tmp_path: Path) -> None:
    a, b = load(tmp_path, TEST, "test"), load(tmp_path, TEST, "acc")
    found = compare(a, b, (), found={"database": frozenset({"postgres"}), "topic": frozenset({"orders"})})
    assert [one.sentence for one in found] == ["database warehouse: missing (declared, and not there)"]


def test_without_a_stage_before_only_what_dags_use_is_asked(tmp_path: Path) -> None:
    use = Usage(kind="pool", name="gpu", path="dags/a.py", line=3, dag_id="a")
    assert [(one.kind, one.name) for one in compare(None, load(tmp_path, TEST, "test"), [use])] == [("pool", "gpu")]
