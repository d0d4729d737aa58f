from __future__ import annotations

from pathlib import Path

import pytest

from harness.environment import Environment, EnvironmentSpec
from harness.environment.spec import KafkaSpec, NameRef, PostgresSpec
from harness.errors import ConfigError

from .conftest import Files

BASE = """\
services:
  postgres: {databases: [warehouse, audit]}
  kafka:
    topics:
      orders: {partitions: 3}
      returns: {partitions: 1}
  http: {apps: {movies: "sources.movies:app"}}
airflow:
  variables: {region: eu, limits: {rows: 10, deep: {a: 1, b: 2}}}
"""


def test_a_child_merges_mappings_at_every_depth(files: Files) -> None:
    files.write(BASE, "base")
    files.write("extends: base\nstage: test\nservices: {kafka: {topics: {orders: {partitions: 6}}}}\n")
    kafka = files.load().spec.services["kafka"]
    assert isinstance(kafka, KafkaSpec)
    assert {name: topic.partitions for name, topic in kafka.topics.items()} == {"orders": 6, "returns": 1}


def test_a_child_replaces_lists(files: Files) -> None:
    files.write(BASE, "base")
    files.write("extends: base\nstage: test\nservices: {postgres: {databases: [other]}}\n")
    postgres = files.load().spec.services["postgres"]
    assert isinstance(postgres, PostgresSpec)
    assert postgres.databases == ["other"]


def test_a_null_takes_away_what_a_parent_says(files: Files) -> None:
    files.write(BASE, "base")
    files.write("extends: base\nstage: test\nservices: {http: null}\nairflow: {variables: {limits: {deep: {a: ~}}}}\n")
    spec = files.load().spec
    assert list(spec.services) == ["postgres", "kafka"]
    assert spec.airflow.variables["limits"] == {"rows": 10, "deep": {"b": 2}}


def test_a_null_without_a_parent_is_a_value(files: Files) -> None:
    files.write("stage: test\nairflow: {variables: {nothing: null}}\n")
    assert files.load().spec.airflow.variables == {"nothing": None}


def test_a_grandchild_may_bring_back_what_its_parent_took_away(files: Files) -> None:
    files.write(BASE, "base")
    files.write("extends: base\nservices: {kafka: null}\n", "small")
    files.write("extends: small\nstage: test\nservices: {kafka: {topics: {fresh: {}}}}\n")
    environment = files.load()
    kafka = environment.spec.services["kafka"]
    assert isinstance(kafka, KafkaSpec)
    assert list(kafka.topics) == ["fresh"]
    assert environment.parents == ("small", "base")


def test_each_value_knows_the_file_that_it_comes_from(files: Files) -> None:
    files.write(BASE, "base")
    files.write("extends: base\nstage: test\nservices:\n  kafka:\n    topics: {orders: {partitions: 6}}\n")
    origins = {path: str(origin) for path, origin in files.load().origins.items()}
    assert origins["stage"] == "environments/test.yaml:2:8"
    assert origins["services.kafka.topics.orders.partitions"] == "environments/test.yaml:5:35"
    assert origins["services.kafka.topics.returns.partitions"] == "environments/base.yaml:6:29"
    assert origins["services.postgres.databases[1]"] == "environments/base.yaml:2:37"
    assert origins["services.postgres"] == "environments/base.yaml:2:3"
    assert "extends" not in origins
    assert "data.days" not in origins


def test_a_path_outside_of_the_working_directory_is_shown_whole(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write("stage: nowhere\n")
    elsewhere = files.project / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with pytest.raises(ConfigError) as caught:
        Environment.load("test", files.folder)
    assert str(caught.value).startswith(f"{files.folder}/test.yaml:1:8: stage: ")


def test_the_project_is_the_folder_above_the_environments(files: Files) -> None:
    files.write("stage: test\n")
    assert files.load().project == files.project
    assert Environment.load("test", files.folder, project=Path("/elsewhere")).project == Path("/elsewhere")


def test_anchors_and_merge_keys_are_followed(files: Files) -> None:
    files.write(
        """\
        stage: test
        services:
          kafka:
            topics:
              orders: &wide {partitions: 6, config: {a: b}}
              returns: {<<: *wide, partitions: 2}
              late: *wide
        """
    )
    kafka = files.load().spec.services["kafka"]
    assert isinstance(kafka, KafkaSpec)
    assert {name: (topic.partitions, topic.config) for name, topic in kafka.topics.items()} == {
        "orders": (6, {"a": "b"}),
        "returns": (2, {"a": "b"}),
        "late": (6, {"a": "b"}),
    }


def test_a_service_takes_its_role_from_its_name_or_from_its_key(files: Files) -> None:
    files.write("stage: test\nservices: {postgres: {}, audit_db: {role: postgres, databases: [audit]}}\n")
    services = files.load().spec.services
    assert {name: type(service) for name, service in services.items()} == {
        "postgres": PostgresSpec,
        "audit_db": PostgresSpec,
    }
    assert {service.role for service in services.values()} == {"postgres"}


def test_a_variable_with_a_service_is_a_reference_and_any_other_a_value(files: Files) -> None:
    files.write(
        """\
        stage: test
        services: {kafka: {topics: {orders: {}}}}
        airflow:
          variables:
            topic: {service: kafka, topic: orders}
            json: {topic: orders, rows: [1, 2.5, true, null]}
            text: '{"service": "billing"}'
            day: 2026-01-01
            answer: yes
            many: 42
        """
    )
    assert files.load().spec.airflow.variables == {
        "topic": NameRef(service="kafka", topic="orders"),
        "json": {"topic": "orders", "rows": [1, 2.5, True, None]},
        "text": '{"service": "billing"}',
        "day": "2026-01-01",
        "answer": "yes",
        "many": 42,
    }


def test_the_process_environment_may_hold_a_part_of_a_service_and_a_url_its_database(files: Files) -> None:
    files.write(
        """\
        stage: test
        services: {postgres: {databases: [crm]}}
        airflow:
          environ:
            LEVEL: debug
            DB_HOST: {service: postgres, part: host}
            DB_URL: {service: postgres, part: url, database: crm}
        """
    )
    assert files.load().spec.airflow.environ == {
        "LEVEL": "debug",
        "DB_HOST": NameRef(service="postgres", part="host"),
        "DB_URL": NameRef(service="postgres", part="url", database="crm"),
    }


def test_a_part_of_a_service_that_is_not_there_is_told_with_its_place(files: Files) -> None:
    files.write("stage: test\nairflow: {environ: {DB_HOST: {service: postgres, part: host}}}\n")
    with pytest.raises(ConfigError, match=r"environ.DB_HOST.service: no service 'postgres'"):
        files.load()


@pytest.mark.parametrize(
    "names", ["{service: s3}", "{service: s3, bucket: lake, topic: orders}", "{service: s3, bucket: lake, part: host}"]
)
def test_a_reference_names_exactly_one_thing(files: Files, names: str) -> None:
    files.write(f"stage: test\nservices: {{s3: {{buckets: [lake]}}}}\nairflow: {{variables: {{v: {names}}}}}\n")
    with pytest.raises(
        ConfigError, match=r"test\.yaml:3:23: airflow\.variables\.v: a variable that names a service names one"
    ):
        files.load()


def test_a_connection_takes_its_coordinates_from_one_place(files: Files) -> None:
    files.write("stage: test\nservices: {s3: {}}\nairflow: {connections: {lake: {service: s3, host: there}}}\n")
    with pytest.raises(
        ConfigError, match=r"test\.yaml:3:25: airflow\.connections\.lake: 'host' comes from the service 's3'"
    ):
        files.load()


def test_wildcards_and_known_names_pass_the_reference_check(files: Files) -> None:
    files.write(
        BASE
        + """\
stage: test
dags:
  d:
    outputs: {postgres: [warehouse.public.t, "ware*.public.*", "*.public.*"], kafka: ["ord*"]}
    staging: {postgres: ["stg_*"]}
"""
    )
    assert files.load().spec.dags["d"].staging == {"postgres": ["stg_*"]}


def test_a_resolved_specification_survives_json(files: Files) -> None:
    files.write(BASE + "stage: test\ndags: {d: {dates: {from: 2026-01-01, to: 2026-01-02}}}\n")
    spec = files.load().spec
    assert EnvironmentSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ("dags: {d: {dates: {from: 2026-01-01, to: 2026-01-02}}}", True),
        ("data: {volume: acc, days: 30}", True),
        ("airflow: {pools: {spark: 2}}", True),
        ("services: {kafka: {topics: {returns: {partitions: 1}, orders: {partitions: 3}}}}", True),
        ("services: {kafka: {topics: {orders: {partitions: 4}}}}", False),
        ("services: {postgres: {databases: [warehouse]}}", False),
        ("services: {http: null}", False),
    ],
)
def test_only_what_changes_a_service_changes_the_services_key(files: Files, change: str, same: bool) -> None:
    files.write(BASE + "stage: test\n", "plain")
    files.write(f"extends: plain\n{change}\n")
    assert (files.load().services_key() == files.load("plain").services_key()) is same


def test_the_services_key_does_not_depend_on_the_order_of_keys(files: Files) -> None:
    files.write("stage: test\nservices: {s3: {buckets: [a-1]}, kafka: {}}\n", "one")
    files.write("stage: dev\nservices: {kafka: {}, s3: {buckets: [a-1]}}\n", "other")
    assert files.load("one").services_key() == files.load("other").services_key()


@pytest.mark.parametrize("name", ["dev", "test"])
def test_the_shipped_environments_load(name: str) -> None:
    environment = Environment.load(name, Path(__file__).parents[3] / "environments")
    assert environment.spec.stage == name
    assert {"postgres", "s3", "kafka", "spark"} <= set(environment.spec.services)
