from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.environment.installing import how_to_install
from harness.scaffold.project import Existing, look
from harness.scaffold.write import flow


@pytest.fixture(autouse=True)
def _in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in the project, as the command does."""
    monkeypatch.chdir(tmp_path)


def lay_out(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def dag(body: str, head: str = "") -> str:
    """A DAG file; its body stands in a task."""
    lines = "".join(f"        {line}\n" for line in body.strip().splitlines())
    return (
        "from airflow.sdk import DAG, Variable, task\n"
        "from airflow.providers.amazon.aws.hooks.s3 import S3Hook\n"
        "from airflow.providers.postgres.hooks.postgres import PostgresHook\n"
        f"{head}\nwith DAG('some', schedule=None):\n    @task\n    def work():\n{lines}    work()\n"
    )


def looked(root: Path, body: str, head: str = "", **files: str) -> Existing:
    return look(lay_out(root, {"dags/some.py": dag(body, head), **files}))


@pytest.mark.parametrize(
    ("head", "given"),
    [
        ("CONN = 'main'", "CONN"),
        ("class Names:\n    CONN = 'main'", "Names.CONN"),
        ("CONNS = {'dwh': 'main'}", "CONNS['dwh']"),
        ("from names import CONN", "CONN"),
        ("import names", "names.CONN"),
        ("from names import CONNS", "CONNS['dwh']"),
        ("from names import Names", "Names.CONN"),
    ],
)
@pytest.mark.parametrize("call", ["PostgresHook({})", "PostgresHook(postgres_conn_id={})"])
def test_a_connection_is_found_through_the_constant_that_names_it(
    tmp_path: Path, call: str, head: str, given: str
) -> None:
    names = "CONN = 'main'\nCONNS = {'dwh': CONN}\nclass Names:\n    CONN = 'main'\n"
    found = looked(tmp_path, call.format(given), head, **{"dags/names.py": names})
    assert found.connections == {"main": {"service": "postgres", "database": "warehouse"}}


@pytest.mark.parametrize(
    ("head", "call", "kind"),
    [
        ("from airflow.providers.http.hooks.http import HttpHook", "HttpHook(http_conn_id='x')", "http"),
        ("from airflow.providers.absent.hooks.absent import SnowFlakeHook", "SnowFlakeHook('x')", "snow_flake"),
        ("from own import OwnHook", "OwnHook('x')", "their_own"),
        ("", "unknown(snowflake_conn_id='x')", "snowflake"),
    ],
)
def test_a_connection_has_the_type_that_its_hook_names(tmp_path: Path, head: str, call: str, kind: str) -> None:
    own = "from airflow.sdk import BaseHook\nclass OwnHook(BaseHook):\n    conn_type = 'their_own'\n"
    found = looked(tmp_path, call, head, **{"dags/own.py": own})
    assert found.connections == {"x": {"conn_type": kind}}


def test_the_default_connection_of_a_hook_without_one_is_declared(tmp_path: Path) -> None:
    found = looked(tmp_path, "S3Hook().read_key('a', 'landing')\nPostgresHook().run('select 1')")
    assert {name: block["service"] for name, block in found.connections.items()} == {
        "aws_default": "s3",
        "postgres_default": "postgres",
    }


@pytest.mark.parametrize(
    ("body", "variables"),
    [
        ("Variable.get('region', default='eu')", {"region": "eu"}),
        ("Variable.get('region', 'eu')", {"region": "eu"}),
        ("Variable.get('limits', default={'a': 1}, deserialize_json=True)", {"limits": {"a": 1}}),
        ('print(\'{{ var.value.get("region", "eu") }}\')', {"region": "eu"}),
        ("Variable.get('region', default=None)", {}),
        ("Variable.get('region')", {"region": "todo"}),
    ],
)
def test_a_variable_has_the_default_that_the_code_gives_it(
    tmp_path: Path, body: str, variables: dict[str, object]
) -> None:
    assert looked(tmp_path, body).variables == variables


@pytest.mark.parametrize(
    "body",
    [
        "S3Hook('lake').load_string('a', key='k', bucket_name='landing')",
        "S3Hook('lake').read_key('k', 'landing')",
        "S3Hook('lake').get_conn().put_object(Bucket='landing', Key='k')",
        "read(f's3a://landing/{1}/x.parquet')",
        "S3Hook('lake').list_keys(bucket_name=Variable.get('where', default='landing'))",
        "run('include/job.py')",
        "import jobs.load; jobs.load.main()",
        "run('copy.sql')",
    ],
)
def test_a_bucket_that_stands_in_the_code_is_declared(tmp_path: Path, body: str) -> None:
    job = "PATH = 's3a://landing/orders'\ndef main():\n    print(PATH)\n"
    named = {"include/job.py": job, "jobs/load.py": job, "sql/copy.sql": "COPY t FROM 's3://landing/x'"}
    files = {name: text for name, text in named.items() if Path(name).stem in body}
    found = looked(tmp_path, body, **files)
    assert found.services["s3"] == {"buckets": ["landing"]}


def test_a_variable_that_names_a_bucket_is_a_reference_to_it(tmp_path: Path) -> None:
    body = "S3Hook('lake').read_key('k', bucket_name=Variable.get('Raw_bucket'))"
    found = looked(tmp_path, body)
    assert found.variables == {"Raw_bucket": {"service": "s3", "bucket": "raw-bucket"}}
    assert found.services["s3"] == {"buckets": ["raw-bucket"]}


@pytest.mark.parametrize(
    "body",
    [
        "PostgresHook('pg', database='crm')",
        "connect('postgresql://me@host:5432/crm')",
        "spark.read.jdbc(f'jdbc:postgresql://{host}:5432/crm')",
    ],
)
def test_a_database_that_stands_in_the_code_is_declared(tmp_path: Path, body: str) -> None:
    assert looked(tmp_path, body).services["postgres"] == {"databases": ["crm"]}


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("from confluent_kafka import Producer", "Producer({}).produce('orders', b'')"),
        ("from confluent_kafka import Consumer", "Consumer({}).subscribe(['orders'])"),
        ("", "spark.readStream.format('kafka').option('subscribe', 'orders')"),
        ("", "consume(kafka_config_id='events', topics=['orders'])"),
    ],
)
def test_a_topic_that_stands_in_the_code_is_declared(tmp_path: Path, head: str, body: str) -> None:
    assert looked(tmp_path, body, head).services["kafka"] == {"topics": {"orders": {}}}


def test_an_astro_project_keeps_what_its_settings_say_without_passwords(tmp_path: Path) -> None:
    settings = """
airflow:
  connections:
    - {conn_id: partner, conn_type: http, conn_host: partner.example.com, conn_password: hunter2}
    - {conn_id: dwh, conn_type: postgres, conn_schema: sales}
    - {conn_id: , conn_type: }
  pools:
    - {pool_name: etl, pool_slot: 3, pool_description: }
  variables:
    - {variable_name: region, variable_value: eu-west-1}
"""
    found = looked(tmp_path, "Variable.get('region', default='us')", **{"airflow_settings.yaml": settings})
    assert found.connections == {"dwh": {"service": "postgres", "database": "sales"}, "partner": {"conn_type": "http"}}
    assert found.remarks["partner"].endswith("partner.example.com")
    assert found.variables == {"region": "eu-west-1"}
    assert found.pools == {"etl": 3}
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".env", "AIRFLOW_CONN_MAIN='postgresql://me:hunter2@host:5432/sales'\n"),
        (".env", 'export AIRFLOW_CONN_MAIN={"conn_type": "postgres", "schema": "sales", "password": "hunter2"}\n'),
        ("whirl.setup.sh", "airflow connections add main \\\n  --conn-type postgres --conn-schema sales\n"),
        ("env/setup.sh", "airflow connections add --conn-uri 'postgres://me:hunter2@host/sales' main\n"),
    ],
)
def test_connections_are_read_from_the_environment_file_and_set_up_scripts(
    tmp_path: Path, name: str, text: str
) -> None:
    found = looked(tmp_path, "PostgresHook('main')", **{name: text})
    assert found.connections == {"main": {"service": "postgres", "database": "sales"}}
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("body", "environ"),
    [
        ("os.environ['MINIO_ENDPOINT']", {"MINIO_ENDPOINT": {"service": "s3", "part": "url"}}),
        ("f'http://{os.environ[\"MINIO_ENDPOINT\"]}'", {"MINIO_ENDPOINT": {"service": "s3", "part": "address"}}),
        ("os.getenv('S3_SECRET_ACCESS_KEY', 'minio')", {"S3_SECRET_ACCESS_KEY": {"service": "s3", "part": "password"}}),
        ("os.environ['DWH_PG_USER']", {"DWH_PG_USER": {"service": "postgres", "part": "user"}}),
        ("os.environ['DATABASE_URL']", {"DATABASE_URL": {"service": "postgres", "part": "url"}}),
        ("os.environ['KAFKA_BROKERS']", {"KAFKA_BROKERS": {"service": "kafka", "part": "address"}}),
        ("S3Hook('s3').list_keys(os.environ['OUT'])", {"OUT": {"service": "s3", "bucket": "lake-out"}}),
        ("os.environ['PARTNER_TOKEN']", {"PARTNER_TOKEN": "todo"}),
        ("os.environ.get('LOG_LEVEL', 'info')", {}),
        ("os.environ['AWS_ENDPOINT_URL']", {}),
    ],
)
def test_the_process_environment_refers_to_the_service_that_a_name_stands_for(
    tmp_path: Path, body: str, environ: dict[str, object]
) -> None:
    found = looked(tmp_path, body, "import os", **{"docker-compose.yml": "environment:\n  OUT: ${OUT:-lake-out}\n"})
    assert found.environ == environ
    assert {ref["service"] for ref in environ.values() if isinstance(ref, dict)} <= set(found.services)


def test_the_default_of_a_name_in_the_process_environment_is_a_bucket_where_it_names_one(tmp_path: Path) -> None:
    found = looked(tmp_path, "S3Hook('s3').list_keys(bucket_name=os.getenv('OUT', 'lake-out'))", "import os")
    assert found.services["s3"] == {"buckets": ["lake-out"]}
    assert found.environ == {}


def test_a_package_that_the_code_imports_and_that_is_not_installed_is_named(tmp_path: Path) -> None:
    found = looked(tmp_path, "import not_to_be_had.at_all\nimport json, names", "", **{"dags/names.py": ""})
    assert found.absent == ("not_to_be_had",)


def test_dags_in_several_folders_have_the_folder_above_them_as_theirs(tmp_path: Path) -> None:
    text = "from airflow.sdk import DAG\nDAG('{}', schedule=None)\n"
    files = {f"examples/{name}/dag.py": text.format(name) for name in ("one", "two")}
    found = look(lay_out(tmp_path, files))
    assert (found.dags, found.dag_ids) == ("examples", ("one", "two"))


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("eu-west-1", "eu-west-1"),
        ("10.5", '"10.5"'),
        ("no", '"no"'),
        ({"a": [1, "x y"]}, '{a: [1, "x y"]}'),
        (True, "true"),
    ],
)
def test_a_value_is_written_as_yaml_that_means_the_same(value: object, line: str) -> None:
    assert flow(value) == line


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("confluent_kafka", "pip install 'dtap-harness[kafka]'"),
        ("pyspark.sql", "pip install 'dtap-harness[spark]'"),
        ("airflow.providers.apache.kafka.hooks", "pip install 'dtap-harness[kafka]'"),
        ("airflow.providers.snowflake", "pip install apache-airflow-providers-snowflake"),
        ("airflow.providers.apache.hive", "pip install apache-airflow-providers-apache-hive"),
        ("airflow.providers.microsoft", None),
        ("airflow.providers.postgres.operators", None),
        ("airflow.nowhere", None),
        ("pandas", "install what brings 'pandas', as the project's requirements do"),
    ],
)
def test_a_module_that_is_missing_comes_with_what_installs_it(module: str, command: str | None) -> None:
    assert how_to_install(f"ModuleNotFoundError: No module named '{module}'") == command


BROKEN = {
    "dags/good.py": "from airflow.sdk import DAG\ngood = DAG('good', schedule=None)\n",
    "dags/bad.py": "from airflow.sdk import DAG\nimport airflow.providers.snowflake\nDAG('bad', schedule=None)\n",
    "environments/test.yaml": "stage: test\n",
}


@pytest.mark.slow
def test_what_cannot_load_is_left_out_and_what_is_there_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(tmp_path, BROKEN)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert main(["init", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert (
        "left out dags/bad.py:2: ModuleNotFoundError: No module named 'airflow.providers.snowflake'; pip install"
        in said
    )
    assert "kept  environments/test.yaml" in said
    assert (tmp_path / "environments" / "test.yaml").read_text() == "stage: test\n"
    assert '"bad"' not in (tmp_path / "tests" / "test_pipelines.py").read_text()
    (tmp_path / ".harness" / "report.json").write_text("{}")
    status = ["git", "-C", str(tmp_path), "status", "--porcelain", "--untracked-files=all"]
    assert ".harness" not in subprocess.run(status, check=True, capture_output=True, text=True).stdout


def test_a_folder_without_dags_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path)]) == 4
    assert "no DAG was found" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
