from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from harness.environment import Environment
from harness.environment.outline import outline, resolved

from .conftest import Files

Harness = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[3]
BASE = """\
services:
  s3: {buckets: [lake]}
  postgres:
    engine: external
    host: ${PGHOST}
    password: ${PGPASSWORD}
"""


@pytest.fixture
def project(files: Files) -> Files:
    files.write(BASE, "base")
    files.write("extends: base\nstage: acc\n", "acc")
    files.write("stage: dev\n", "dev")
    return files


def test_list_shows_stage_parents_and_engines_without_the_variables(project: Files, harness: Harness) -> None:
    ended = harness("env", "list")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line.split() for line in ended.stdout.splitlines()] == [
        ["NAME", "STAGE", "EXTENDS", "SERVICES"],
        ["acc", "acc", "base", "embedded:", "s3;", "external:", "postgres"],
        ["base", "-", "-", "embedded:", "s3;", "external:", "postgres"],
        ["dev", "dev", "-", "-"],
    ]


def test_list_gives_one_json_object(project: Files, harness: Harness) -> None:
    listed = json.loads(harness("env", "list", "--json").stdout)
    assert listed["schema"] == "harness.env.list/1"
    assert listed["environments"][0] == {
        "name": "acc",
        "file": "environments/acc.yaml",
        "stage": "acc",
        "extends": ["base"],
        "services": {"s3": "embedded", "postgres": "external"},
    }


def test_list_shows_the_sound_files_and_tells_of_the_others(project: Files, harness: Harness) -> None:
    project.write("stage: [\n", "broken")
    ended = harness("env", "list")
    assert ended.returncode == 2
    assert [line.split()[0] for line in ended.stdout.splitlines()] == ["NAME", "acc", "base", "broken", "dev"]
    assert ended.stderr.startswith("environments/broken.yaml:2:1: not valid YAML")
    assert len(ended.stderr.splitlines()) == 1


def test_list_of_an_empty_folder_is_an_error(files: Files, harness: Harness) -> None:
    ended = harness("env", "list", "--environments", "environments")
    assert ended.returncode == 2
    assert ended.stderr.startswith("no environment files in environments; ")


def test_show_gives_each_value_with_its_line_and_hides_secrets(project: Files, harness: Harness) -> None:
    ended = harness("env", "show", "acc", PGHOST="db.example.com", PGPASSWORD="hunter2")
    assert ended.returncode == 0
    lines = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert "stage: acc # environments/acc.yaml:2" in lines
    assert "buckets: [lake] # environments/base.yaml:2" in lines
    assert "host: db.example.com # environments/base.yaml:5 ($PGHOST)" in lines
    assert 'password: "***" # environments/base.yaml:6 ($PGPASSWORD)' in lines
    assert "days: 3 # default" in lines
    assert "hunter2" not in ended.stdout + ended.stderr


def test_show_gives_one_json_object_without_secrets(project: Files, harness: Harness) -> None:
    ended = harness("env", "show", "acc", "--json", PGHOST="db", PGPASSWORD="hunter2")
    shown = json.loads(ended.stdout)
    assert shown["schema"] == "harness.env.show/1"
    assert shown["environment"]["services"]["postgres"]["password"] == "***"
    assert shown["origins"]["services.postgres.host"] == "environments/base.yaml:5:11"
    assert "hunter2" not in ended.stdout


def test_what_show_prints_is_yaml_that_says_the_same(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "environments", tmp_path / "environments", ignore=shutil.ignore_patterns("*.py"))
    environment = Environment.load("test", tmp_path / "environments")
    text = "\n".join(line.text for line in outline(environment))
    assert YAML(typ="safe").load(text) == resolved(environment)


@pytest.mark.parametrize(
    "written",
    [
        "{sasl_password: hunter2}",
        "{aws: {secret_access_key: hunter2}}",
        "{nested: {api-key: [hunter2]}}",
        "{url: 'postgresql://me:hunter2@db/x'}",
        "{plain: '${API_TOKEN}'}",
    ],
)
def test_secrets_are_hidden_wherever_they_stand(files: Files, written: str) -> None:
    files.write(f"stage: test\nairflow: {{variables: {{v: {written}}}}}\n")
    environment = files.load(API_TOKEN="hunter2")
    assert "hunter2" not in json.dumps(resolved(environment))
    assert "***" in json.dumps(resolved(environment))


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    from harness.environment.schema import json_schema

    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def as_written(path: Path) -> object:
    return json.loads(json.dumps(YAML(typ="safe").load(path), default=str))


@pytest.mark.parametrize("path", sorted((ROOT / "environments").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_schema_takes_the_shipped_files(validator: Draft202012Validator, path: Path) -> None:
    assert [error.message for error in validator.iter_errors(as_written(path))] == []


@pytest.mark.parametrize(
    ("document", "valid"),
    [
        ({"extends": "base"}, True),
        ({"services": {"http": None}}, True),
        ({"services": {"audit": {"role": "postgres", "databases": ["a"]}}}, True),
        ({"data": {"days": "${DAYS}"}}, True),
        ({"dags": {"d": {"dates": {"to": "2026-01-02"}}}}, True),
        ({"airflow": {"variables": {"v": {"service": "s3", "bucket": "b"}, "w": [1]}}}, True),
        ({"servcies": {}}, False),
        ({"stage": "tset"}, False),
        ({"services": {"audit": {"databases": ["a"]}}}, False),
        ({"services": {"audit": {"role": "postgres", "buckets": ["a"]}}}, False),
        ({"services": {"kafka": {"topics": {"orders": {"partitons": 3}}}}}, False),
        ({"data": {"days": "three"}}, False),
        ({"data": {"days": 0}}, False),
    ],
)
def test_the_schema_tells_right_from_wrong(validator: Draft202012Validator, document: object, valid: bool) -> None:
    assert validator.is_valid(document) is valid


def test_the_schema_is_printed(files: Files, harness: Harness) -> None:
    ended = harness("env", "schema")
    assert json.loads(ended.stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
