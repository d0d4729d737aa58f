from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from harness.cli.main import main
from harness.environment import Environment

ASTRO = {
    "Dockerfile": "FROM astrocrpublic.azurecr.io/runtime:3.0\n",
    "requirements.txt": "",
    "dags/sales.py": """
from airflow.sdk import dag, task, Variable
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

@dag(schedule="@daily", tags=["sales"])
def sales():
    SQLExecuteQueryOperator(task_id="load", conn_id="dwh_postgres", sql="select {{ var.value.region }}", pool="etl")

sales()
""",
    "airflow_settings.yaml": """
airflow:
  connections:
    - {conn_id: partner, conn_type: http, conn_host: partner.example.com, conn_password: hunter2}
    - {conn_id: , conn_type: }
  pools:
    - {pool_name: etl, pool_slot: 3, pool_description: }
  variables:
    - {variable_name: region, variable_value: eu-west-1}
""",
    "tests/dags/test_dag_example.py": "def test_a(): pass\n",
}
WHIRL = {
    ".whirl.env": "PYTHON_VERSION=3.11\n",
    "examples/copy/dag.py": """
from airflow.sdk import DAG
from airflow.providers.amazon.aws.transfers.sql_to_s3 import SqlToS3Operator

with DAG("copy_orders", schedule=None):
    SqlToS3Operator(
        task_id="copy", query="select 1", s3_bucket="landing-zone", s3_key="a", sql_conn_id="pg", aws_conn_id="s3"
    )
""",
    "examples/copy/whirl.setup.sh": "#!/usr/bin/env bash\n",
    "envs/postgres-s3/docker-compose.yml": "services: {}\n",
}


def lay_out(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize("files", [ASTRO, WHIRL], ids=["astro", "whirl"])
def test_no_file_that_was_there_is_changed_and_every_environment_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]
) -> None:
    lay_out(tmp_path, files)
    assert main(["init", str(tmp_path)]) == 0
    assert {name: (tmp_path / name).read_text() for name in files} == files
    variables = {f"{role}_{what}": "1" for role in ("POSTGRES", "S3") for what in ("HOST", "PORT", "USER", "PASSWORD")}
    for name in ("dev", "test", "acc", "prod"):
        found = Environment.load(name, tmp_path / "environments", environ=variables)
        assert found.spec.stage == name
    workflow = YAML(typ="safe").load(tmp_path / ".github" / "workflows" / "harness.yml")
    assert workflow["jobs"]["gate"]["steps"][-1]["with"]["name"] == "evidence"


def test_an_astro_project_keeps_what_its_settings_say(tmp_path: Path) -> None:
    main(["init", str(lay_out(tmp_path, ASTRO))])
    found = Environment.load("dev", tmp_path / "environments").spec
    assert found.airflow.connections["dwh_postgres"].service == "postgres"
    assert found.airflow.connections["partner"].conn_type == "http"
    assert found.airflow.variables == {"region": "eu-west-1"}
    assert found.airflow.pools == {"etl": 3}
    assert "hunter2" not in (tmp_path / "environments" / "base.yaml").read_text()


def test_dags_outside_a_dags_folder_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["init", str(lay_out(tmp_path, WHIRL))])
    assert "1 DAGs in examples/copy: copy_orders" in capsys.readouterr().out
    found = Environment.load("dev", tmp_path / "environments").spec
    assert set(found.services) == {"postgres", "s3"}
    assert found.services["s3"].buckets == ["landing-zone"]  # type: ignore[attr-defined]


def test_what_is_there_already_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay_out(tmp_path, {**ASTRO, "environments/dev.yaml": "stage: dev\n"})
    main(["init", str(tmp_path)])
    assert "kept  environments/dev.yaml" in capsys.readouterr().out
    assert (tmp_path / "environments" / "dev.yaml").read_text() == "stage: dev\n"


def test_a_folder_without_dags_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path)]) == 4
    assert "no DAG was found" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
