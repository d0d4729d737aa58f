from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from harness.environment import Environment
from harness.environment.roles import role_specs
from harness.environment.schema import json_schema
from harness.errors import ConfigError

from .conftest import Files

PLUGIN = '''\
from harness.environment.service import ServiceSpec
from harness.hookspecs import hookimpl


class RedisSpec(ServiceSpec):
    """An in-memory store."""

    databases: list[str] = []


class Redis:
    role = "redis"
    spec_type = RedisSpec


@hookimpl
def harness_roles():
    return [Redis]
'''
numbers = itertools.count()


@pytest.fixture
def plugin(files: Files) -> str:
    """Write a plugin into the project under a name that no other test has imported."""
    name = f"toy_plugin_{next(numbers)}"
    (files.project / f"{name}.py").write_text(PLUGIN)
    return name


def test_a_project_adds_a_role_with_a_module_of_its_own(files: Files, plugin: str) -> None:
    files.write(f"stage: test\nplugins: [{plugin}]\nservices: {{redis: {{databases: [cache]}}}}\n")
    redis = files.load().spec.services["redis"]
    assert (type(redis).__name__, redis.role) == ("RedisSpec", f"{plugin}:Redis")
    assert redis.model_dump()["databases"] == ["cache"]


def test_a_second_service_of_a_role_of_a_plugin_has_a_name_of_its_own(files: Files, plugin: str) -> None:
    files.write(f"stage: test\nplugins: [{plugin}]\nservices: {{sessions: {{role: redis}}}}\n")
    assert files.load().spec.services["sessions"].role == f"{plugin}:Redis"


def test_a_role_can_be_named_by_its_class_without_a_plugin(files: Files, plugin: str) -> None:
    files.write(f"stage: test\nservices: {{cache: {{role: '{plugin}:Redis'}}}}\n")
    assert type(files.load().spec.services["cache"]).__name__ == "RedisSpec"


def test_a_specification_with_a_plugin_survives_json(files: Files, plugin: str) -> None:
    files.write(f"stage: test\nplugins: [{plugin}]\nservices: {{redis: {{databases: [cache]}}}}\n")
    spec = files.load().spec
    assert type(spec).model_validate_json(spec.model_dump_json()) == spec


def test_the_keys_of_a_plugin_are_checked_as_strictly(files: Files, plugin: str) -> None:
    files.write(f"stage: test\nplugins: [{plugin}]\nservices:\n  redis: {{databses: [cache]}}\n")
    with pytest.raises(
        ConfigError, match=r"test\.yaml:4:11: services\.redis\.databses: unknown key; did you mean 'databases'"
    ):
        files.load()


def test_references_reach_into_a_role_of_a_plugin(files: Files, plugin: str) -> None:
    files.write(
        f"stage: test\nplugins: [{plugin}]\nservices: {{redis: {{databases: [cache]}}}}\n"
        "airflow: {connections: {c: {service: redis, database: cash}}}\n"
    )
    with pytest.raises(ConfigError, match=r"test\.yaml:4:55: .* the service 'redis' declares no database 'cash'"):
        files.load()


def test_a_plugin_that_cannot_be_imported_is_told_at_its_place(files: Files) -> None:
    files.write("stage: test\nplugins: [no.such.module]\nservices: {redis: {}}\n")
    with pytest.raises(ConfigError) as caught:
        files.load()
    assert str(caught.value).startswith(
        "environments/test.yaml:2:11: plugins[0]: the plugin 'no.such.module' cannot be imported: ModuleNotFoundError"
    )


def test_a_plugin_with_a_mistyped_hook_is_told(files: Files) -> None:
    name = f"toy_plugin_{next(numbers)}"
    (files.project / f"{name}.py").write_text(PLUGIN.replace("def harness_roles", "def harness_rolls"))
    files.write(f"stage: test\nplugins: [{name}]\nservices: {{redis: {{}}}}\n")
    with pytest.raises(ConfigError, match="unknown hook 'harness_rolls'"):
        files.load()


def test_no_plugin_is_imported_for_built_in_roles(files: Files) -> None:
    files.write("stage: test\nplugins: [no.such.module]\nservices: {s3: {}}\n")
    assert list(files.load().spec.services) == ["s3"]


def test_the_roles_and_the_schema_know_those_of_plugins(files: Files, plugin: str) -> None:
    assert "redis" in role_specs([plugin], files.project)
    schema = json_schema([plugin], files.project)
    assert "redis" in schema["properties"]["services"]["properties"]


def test_the_example_of_the_project_is_found_whatever_the_working_directory(
    files: Files, plugin: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(f"stage: test\nplugins: [{plugin}]\nservices: {{redis: {{}}}}\n")
    elsewhere: Path = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    assert Environment.load("test", files.folder).spec.services["redis"].role == f"{plugin}:Redis"
