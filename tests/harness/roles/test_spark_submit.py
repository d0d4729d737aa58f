from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.api import Session
from harness.engines.jars import jars, pyspark_jars
from harness.environment import Environment
from harness.errors import ConfigError
from harness.services.spark import s3a_settings
from harness.services.spark_options import read_job
from harness.session.client import Namespace

# a first Delta write on a busy machine takes most of a minute
pytestmark = pytest.mark.timeout(600)

PROJECT = Path(__file__).with_name("submitting")
JOBS = PROJECT / "jobs"

Ended = subprocess.CompletedProcess[str]
Submit = Callable[..., Ended]


@pytest.fixture(scope="module")
def session(engine: str) -> Iterator[Session]:
    if engine == "container":
        pytest.skip("on a cluster it is Spark's own spark-submit")
    with Session(Environment.load("dev", folder=PROJECT / "environments")) as opened:
        yield opened


@pytest.fixture(scope="module")
def namespace(session: Session) -> Iterator[Namespace]:
    with session.namespace() as opened:
        yield opened


@pytest.fixture
def submit(namespace: Namespace, tmp_path: Path) -> Submit:
    """Call what a task of the namespace finds as `spark-submit`, and wait for its end."""

    def run(*argv: object, **environ: str) -> Ended:
        env = {**os.environ, **namespace.environ, **environ}
        program = shutil.which("spark-submit", path=env["PATH"])
        return _run([program, *argv], env, tmp_path)

    return run


def _run(argv: list[Any], env: dict[str, str], cwd: Path) -> Ended:
    return subprocess.run(
        list(map(str, argv)), env=env, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )


def _rows(namespace: Namespace, table: str) -> list[dict[str, Any]]:
    """Read a table of the namespace's bucket without Spark."""
    from deltalake import DeltaTable

    store = namespace.services["s3"]
    place = f"s3://{store.slice.physical('bucket', 'lake')}/{table}"
    rows = DeltaTable(place, storage_options=store.storage_options()).to_pyarrow_table().to_pylist()
    return sorted(rows, key=lambda row: row["id"])


def _table(namespace: Namespace, table: str) -> str:
    return f"s3a://{namespace.services['s3'].slice.physical('bucket', 'lake')}/{table}"


def _submit_plainly(namespace: Namespace, cwd: Path, *argv: object) -> Ended:
    """Call Spark's own spark-submit, on a driver of its own with the jars of the resident one."""
    home = pyspark_jars().parent
    settings = {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.ui.enabled": "false",
        **{f"spark.hadoop.{key}": value for key, value in _s3a(namespace).items()},
    }
    options = [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
    options += ["--master", "local[2]", "--jars", ",".join(map(str, jars("spark")))]
    env = {**os.environ, "SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable}
    return _run([home / "bin" / "spark-submit", *options, *argv], env, cwd)


def _s3a(namespace: Namespace) -> dict[str, str]:
    return s3a_settings(namespace.services["s3"], everywhere=True)


def test_a_job_gives_the_same_rows_and_words_as_by_sparks_own(
    namespace: Namespace, submit: Submit, tmp_path: Path
) -> None:
    job = ("--name", "any", "--py-files", JOBS / "rates.py", JOBS / "load.py")

    ours = submit(*job, _table(namespace, "ours"), "2026-01-02", 3)
    plain = _submit_plainly(namespace, tmp_path, *job, _table(namespace, "plain"), "2026-01-02", 3)

    assert ours.returncode == 0, ours.stderr
    assert plain.returncode == 0, plain.stderr
    assert ours.stdout == plain.stdout == "3 rows of 2026-01-02\n"
    assert _rows(namespace, "ours") == _rows(namespace, "plain")
    assert [row["amount"] for row in _rows(namespace, "ours")] == [0, 7, 14]


@pytest.mark.parametrize("end", ["raise", "3"])
def test_a_job_that_fails_ends_as_by_sparks_own(namespace: Namespace, submit: Submit, tmp_path: Path, end: str) -> None:
    ours, plain = submit(JOBS / "fail.py", end), _submit_plainly(namespace, tmp_path, JOBS / "fail.py", end)

    assert ours.returncode == plain.returncode == (1 if end == "raise" else 3), (ours.stderr, plain.stderr)
    assert ours.stdout == plain.stdout
    assert ours.stdout.startswith("5 rows before the end\n")
    assert ("ValueError: the job's own" in ours.stdout) == (end == "raise")


def test_a_job_sees_its_arguments_settings_and_files(namespace: Namespace, submit: Submit, tmp_path: Path) -> None:
    (tmp_path / "settings.ini").write_text("a setting")
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "inside.txt").write_text("packed")
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "content")
    (tmp_path / "own.conf").write_text("# a comment\nspark.load.day 2026-01-01\nspark.sql.shuffle.partitions: 9\n")

    ended = submit(
        *("--properties-file", "own.conf", "-c", "spark.sql.shuffle.partitions=5", "--name=daily load"),
        *("--conf", "spark.executorEnv.REGION=eu", "--files", "settings.ini", "--archives", "packed.zip#archive"),
        *(JOBS / "tell.py", "--name", "the job's", "-x", ""),
    )

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {
        "arguments": [str(JOBS / "tell.py"), "--name", "the job's", "-x", ""],
        "name": "daily load",
        "file": str(JOBS / "tell.py"),
        "partitions": "5",
        "own": "2026-01-01",
        "worker": ["eu"],
        "files": {"settings.ini": "a setting", "archive/inside.txt": "packed"},
        "database": namespace.services["spark"].slice.names["database"]["default"],
    }
    submitted = Path(namespace.environ["SPARK_HOME"], "submitted")
    assert list(submitted.iterdir()) == []


def test_a_job_may_lie_in_the_store(namespace: Namespace, submit: Submit) -> None:
    store = namespace.services["s3"]
    bucket = store.slice.physical("bucket", "lake")
    for name in ("load.py", "rates.py"):
        store.client.put_object(Bucket=bucket, Key=f"jobs/{name}", Body=(JOBS / name).read_bytes())

    place = _table(namespace, "jobs")
    ended = submit("--py-files", f"{place}/rates.py", f"{place}/load.py", _table(namespace, "stored"), "today", 2)

    assert ended.stdout == "2 rows of today\n", ended.stderr
    assert [row["amount"] for row in _rows(namespace, "stored")] == [0, 7]


def test_what_is_of_no_use_is_told_in_one_line(submit: Submit) -> None:
    size = ("--driver-memory", "8g", "--driver-java-options", "-Dkey=value", "-c", "spark.executor.cores=4")
    ended = submit("--master", "local[7]", "--deploy-mode", "client", *size, JOBS / "fail.py", 0)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.splitlines() == [
        "spark-submit: the resident driver runs already: no use for --driver-memory, --driver-java-options, "
        "spark.executor.cores"
    ]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--packages", "org.example:connector_2.13:1.0"], "connector_2.13:1.0"),
        (["--jars", "/opt/connector.jar"], "/opt/connector.jar"),
        (["--master", "spark://far.away:7077"], "spark://far.away:7077"),
        (["--conf", "spark.sql.extensions=org.example.Extensions"], "services.spark.conf.spark.sql.extensions"),
        (["--py-files", "s3a://lake-of-nobody/rates.py"], "lake-of-nobody"),
        (["--files", "missing.ini"], "missing.ini"),
    ],
)
def test_what_the_driver_does_not_have_is_refused_in_one_line(submit: Submit, options: list[str], word: str) -> None:
    ended = submit(*options, JOBS / "fail.py", 0)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert word in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["--class", "org.example.Main", "app.jar"], "app.jar is not a Python file"),
        (["app.R"], "app.R is not a Python file"),
        (["--master", "yarn", "job.py"], "spark.master=yarn"),
        (["--master", "k8s://https://cluster", "job.py"], "spark.master=k8s"),
        (["--conf", "spark.master=yarn", "job.py"], "spark.master=yarn"),
        (["--deploy-mode", "cluster", "job.py"], "cluster mode"),
        (["--remote", "sc://somewhere", "job.py"], "--remote"),
        (["--kill", "driver-1"], "--kill"),
        (["--conf", "novalue", "job.py"], "--conf novalue"),
        (["--unheard-of", "job.py"], "--unheard-of"),
        (["--name", "daily"], "missing application resource"),
        (["--properties-file", "nowhere.conf", "job.py"], "nowhere.conf"),
    ],
)
def test_what_needs_a_cluster_or_is_no_option_is_refused(argv: list[str], word: str) -> None:
    with pytest.raises(ConfigError, match=word.replace("+", r"\+")):
        read_job(argv)


def test_a_refusal_is_one_line_and_exit_code_2(submit: Submit) -> None:
    ended = submit("--class", "org.example.Main", "app.jar")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("spark-submit: app.jar is not a Python file")
    assert len(ended.stderr.splitlines()) == 1


def test_options_win_over_settings_and_these_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "own.conf"
    file.write_text("spark.app.name=file\nspark.load.day : monday\nspark.load.hour\t7 = seven\nother.key 1\n")
    job = read_job(["--conf", "spark.app.name=setting", "--name", "option", "--properties-file", str(file), "job.py"])
    assert job is not None
    assert job.settings == {"spark.app.name": "option", "spark.load.day": "monday", "spark.load.hour": "7 = seven"}


def test_a_program_that_makes_a_driver_of_its_own_still_does(submit: Submit, namespace: Namespace) -> None:
    program = "from pyspark.sql import SparkSession; print(SparkSession.builder.getOrCreate().sparkContext.appName)"
    env = {**os.environ, **namespace.environ, "PYSPARK_SUBMIT_ARGS": "--name lonely pyspark-shell"}
    ended = _run([sys.executable, "-c", program], env, JOBS)
    assert ended.stdout == "lonely\n", ended.stderr


def test_dags_find_it_on_path_in_spark_home_and_by_operator(session: Session, namespace: Namespace) -> None:
    report = session.run("submits", namespace=namespace, date="2026-01-02", deadline=300)

    assert report.verdict == "pass", report.reasons
    days = {"on_path": "2026-01-02", "in_home": "2026", "by_operator": "2026-01-02"}
    for count, (table, day) in enumerate(days.items(), start=3):
        assert _rows(namespace, table) == [{"id": n, "day": day, "amount": 7 * n} for n in range(count)]


def test_a_job_that_fails_fails_its_task(session: Session, namespace: Namespace) -> None:
    report = session.run("submits_in_vain", namespace=namespace, date="2026-01-02", deadline=300)

    assert report.verdict == "fail"
    (run,) = report.runs
    assert report.folder is not None
    logs = {task.task_id: Path(report.folder, task.tries[-1].log or "").read_text() for task in run.tasks}
    assert "exit code 3" in logs["on_path"]
    assert "ValueError: the job's own" in logs["by_operator"]
