from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.engines.jars import cache_dir
from harness.environment.spec import KafkaSpec, PostgresSpec, S3Spec, SparkSpec, TopicSpec
from harness.errors import ConfigError, ServiceError
from harness.services.spark import Spark
from harness.session.fleet import Fleet
from tests.patience import eventually

# a first Delta write on a busy machine takes most of a minute
pytestmark = pytest.mark.timeout(600)

PROGRAMS = Path(__file__).with_name("spark_client.py")
SPECS = {
    "kafka": ("kafka", KafkaSpec(topics={"left": TopicSpec(partitions=2), "right": TopicSpec()})),
    "s3": ("s3", S3Spec(buckets=["lake"], server="moto")),
    "postgres": ("postgres", PostgresSpec(databases=["warehouse"])),
    "spark": ("spark", SparkSpec(packages=["delta", "kafka", "s3", "postgres"], start_timeout=300)),
}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[dict[str, Any]]:
    if engine == "container":
        pytest.skip("about the resident driver, which is the same process; conformance/ has what differs")
    folder = tmp_path_factory.mktemp("spark")
    fleet = Fleet(SPECS, folder=folder, cache=cache_dir(), project=folder, session="roles-spark")
    fleet.start(lambda event: None)
    for service in fleet.services.values():
        service.prepare()
    try:
        yield fleet.services
        fleet.services["spark"].release()
    finally:
        fleet.stop()


@pytest.fixture
def spark(services: dict[str, Any]) -> Any:
    return services["spark"].client


@pytest.fixture
def namespace(services: dict[str, Any]) -> Iterator[Spark]:
    whole = services["spark"]
    service = Spark(whole.name, whole.spec, whole.endpoint, whole.open("n7"))
    yield service
    service.close()


@pytest.fixture
def program(services: dict[str, Any]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a program of spark_client.py as a client of its own."""
    started: list[subprocess.Popen[str]] = []

    def run(name: str, *arguments: object, service: Spark | None = None) -> subprocess.Popen[str]:
        environ = {**os.environ, **(service or services["spark"]).environ()}
        command = [sys.executable, PROGRAMS, name, *map(str, arguments)]
        process = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROGRAMS.parent
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def output(process: subprocess.Popen[str], within: float = 240.0) -> str:
    out, errors = process.communicate(timeout=within)
    assert process.returncode == 0, errors
    return out.strip()


def delta_rows(services: dict[str, Any], table: str) -> list[dict[str, Any]]:
    """Read a table without Spark."""
    from deltalake import DeltaTable

    return (
        DeltaTable(f"s3://lake/{table}", storage_options=services["s3"].storage_options())
        .to_pyarrow_table()
        .to_pylist()
    )


def test_two_clients_run_foreach_batch_at_once_each_in_its_own_process(
    services: dict[str, Any], program: Callable[..., Any], tmp_path: Path
) -> None:
    kafka = services["kafka"]
    clients = {}
    for topic, other in (("left", "right"), ("right", "left")):
        kafka.client.produce(topic, [(str(n), f"{topic} {n}") for n in range(200)])
        where = (kafka.endpoint.address, topic, f"s3a://lake/{topic}", tmp_path / topic, tmp_path / other)
        clients[topic] = program("stream", *where)
    pids = {topic: int(output(client)) for topic, client in clients.items()}
    assert pids["left"] != pids["right"]
    for topic, pid in pids.items():
        rows = delta_rows(services, topic)
        assert sorted(row["value"] for row in rows) == sorted(f"{topic} {n}" for n in range(200))
        assert {row["pid"] for row in rows} == {pid}


def test_killing_a_client_cancels_its_job_and_leaves_the_others_working(
    spark: Any, program: Callable[..., Any], tmp_path: Path
) -> None:
    tracker = spark.sparkContext.statusTracker()
    client = program("hang", tmp_path / "hangs")
    assert eventually(lambda: bool(tracker.getActiveJobsIds()) or client.poll() is not None, within=120)
    client.kill()
    assert eventually(lambda: not tracker.getActiveJobsIds())
    assert spark.range(7).count() == 7


def test_spark_leaves_no_folder_in_the_project(services: dict[str, Any], program: Callable[..., Any]) -> None:
    project = Path(services["spark"].endpoint.options["warehouse"]).parents[1]
    output(program("views", ""))
    assert {path.name for path in project.iterdir()} <= {*SPECS, "spark.json"}


def test_a_script_that_stops_its_session_stops_only_its_own(spark: Any, program: Callable[..., Any]) -> None:
    assert output(program("stop", "")) == "5"
    assert spark.range(7).count() == 7


def test_temporary_views_of_one_client_are_invisible_to_another(spark: Any, program: Callable[..., Any]) -> None:
    spark.range(1).createOrReplaceTempView("mine_alone")
    assert "mine_alone" in [table.name for table in spark.catalog.listTables()]
    assert "mine_alone" not in output(program("views", ""))


def test_a_plain_get_or_create_returns_the_attached_session(spark: Any) -> None:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    assert SparkSession.builder.appName("any").getOrCreate() is spark
    assert SparkContext.getOrCreate() is spark.sparkContext


def test_after_a_stop_the_client_attaches_again(services: dict[str, Any], spark: Any) -> None:
    spark.stop()
    again = services["spark"].client
    assert again is not spark
    assert again.range(3).count() == 3


def test_an_error_can_be_read_after_the_session_that_raised_it_has_stopped(spark: Any) -> None:
    from pyspark.errors import AnalysisException

    def job() -> None:
        try:
            spark.read.json("file:///not/there")
        finally:
            spark.stop()

    with pytest.raises(AnalysisException) as caught:
        job()

    assert "PATH_NOT_FOUND" in str(caught.value)
    assert caught.value.getCondition() == "PATH_NOT_FOUND"


def test_a_forked_process_attaches_anew_and_its_parent_goes_on(services: dict[str, Any], spark: Any) -> None:
    child = os.fork()
    if child == 0:
        gc.freeze()  # what other tests have left to collect may belong to threads that this process does not have
        mine = services["spark"].client
        os._exit(0 if mine is not spark and mine.range(4).count() == 4 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert spark.range(9).count() == 9


def test_the_handler_of_ctrl_c_is_left_alone(services: dict[str, Any], spark: Any) -> None:
    import signal

    before = signal.getsignal(signal.SIGINT)
    spark.stop()
    assert services["spark"].client.range(1).count() == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_delta_merges_and_travels_in_time_on_the_object_store(services: dict[str, Any], spark: Any) -> None:
    from delta.tables import DeltaTable

    path = "s3a://lake/customers"
    spark.createDataFrame([(1, "old"), (2, "kept")], "id int, name string").write.format("delta").save(path)
    news = spark.createDataFrame([(1, "new"), (3, "more")], "id int, name string")
    merge = DeltaTable.forPath(spark, path).alias("t").merge(news.alias("s"), "t.id = s.id")
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
    now = {row["id"]: row["name"] for row in delta_rows(services, "customers")}
    then = spark.read.format("delta").option("versionAsOf", 0).load(path).collect()
    assert now == {1: "new", 2: "kept", 3: "more"}
    assert {row.id: row.name for row in then} == {1: "old", 2: "kept"}


def test_rows_go_to_postgres_and_come_back(services: dict[str, Any], spark: Any) -> None:
    at = services["postgres"].endpoint
    options = {
        "url": f"jdbc:postgresql://{at.address}/warehouse",
        "user": at.user,
        "password": at.password,
        "dbtable": "public.revenue",
    }
    rows = spark.sql("select 1 as id, cast(12.50 as decimal(10,2)) as amount, timestamp'2026-01-02 03:04:05' as at")
    rows.write.format("jdbc").options(**options).mode("overwrite").save()
    assert spark.read.format("jdbc").options(**options).load().collect() == rows.collect()


def test_a_namespaces_tables_are_its_own_and_go_with_it(services: dict[str, Any], namespace: Spark) -> None:
    folder = Path(namespace.slice.physical("warehouse", "default"))
    mine = namespace.client
    mine.range(5).write.format("delta").saveAsTable("numbers")
    assert mine.table("numbers").count() == 5
    assert (folder / "numbers" / "_delta_log").is_dir()
    whole = services["spark"].client
    assert "numbers" not in [table.name for table in whole.catalog.listTables()]
    namespace.close()
    assert not folder.exists()
    assert "n7" not in [database.name for database in services["spark"].client.catalog.listDatabases()]


@pytest.mark.parametrize("written", ["parquet", "delta", "csv"])
def test_a_table_of_the_catalogue_is_read_by_its_content(namespace: Spark, written: str) -> None:
    rows = namespace.client.createDataFrame([("a", 1), ("b", 2), ("b", 2)], "key string, value int")

    rows.write.format(written).saveAsTable("once")
    rows.repartition(3).write.format(written).partitionBy("key").saveAsTable("in_parts")
    held = {dataset.name: dataset for dataset in namespace.snapshot()}

    assert {name: dataset.rows for name, dataset in held.items()} == {"default.once": 3, "default.in_parts": 3}
    assert held["default.once"].digests == held["default.in_parts"].digests
    assert sorted(held["default.once"].digests.values()) == [1, 2]


def test_a_setting_of_one_namespace_is_not_the_others(services: dict[str, Any], namespace: Spark) -> None:
    namespace.client.conf.set("spark.sql.shuffle.partitions", "9")
    assert services["spark"].client.conf.get("spark.sql.shuffle.partitions") == "2"
    assert services["spark"].client.conf.get("spark.sql.session.timeZone") == "UTC"


def test_python_workers_run_the_present_version_of_the_users_modules(
    spark: Any, tmp_path: Path, services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    monkeypatch.syspath_prepend(str(tmp_path))
    answers = []
    for answer in (1, 22):  # bytecode of the same length and second would pass for the present one, with any Python
        (tmp_path / "job_of_mine.py").write_text(f"def work(row):\n    return {answer}\n")
        importlib.invalidate_caches()
        sys.modules.pop("job_of_mine", None)
        work = importlib.import_module("job_of_mine").work
        services["spark"].client.stop()
        answers += services["spark"].client.sparkContext.parallelize([0], 1).map(work).collect()
    assert answers == [1, 22]


@pytest.fixture
def hooked(services: dict[str, Any], spark: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The builder as a task sees it, in this process."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    from harness.services.spark import install

    for name, value in services["spark"].environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(SparkSession.Builder, "getOrCreate", SparkSession.Builder.getOrCreate)
    monkeypatch.setattr(SparkContext, "getOrCreate", SparkContext.getOrCreate)
    for kind in (SparkContext, SparkSession):
        monkeypatch.setattr(kind, "__init__", kind.__init__)
    assert install()
    return SparkSession.builder


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spark.executor.memory", "4g"),
        ("spark.sql.warehouse.dir", "/elsewhere"),
        ("spark.sql.extensions", "com.example.Extensions"),
        ("spark.master", "spark://far.away:7077"),
        ("spark.jars.packages", "io.delta:delta-spark_2.13:3.3.0"),
    ],
)
def test_a_job_that_needs_another_static_setting_is_refused(hooked: Any, key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        hooked.config(key, value).getOrCreate()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spark.app.name", "daily load"),
        ("spark.master", "local[*]"),
        ("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension"),
        ("spark.jars.packages", "io.delta:delta-spark_2.13:4.0.0"),
    ],
)
def test_a_job_may_repeat_what_is_so_already(hooked: Any, spark: Any, key: str, value: str) -> None:
    assert hooked.config(key, value).getOrCreate() is spark


def test_runtime_settings_of_a_job_are_set(hooked: Any, spark: Any) -> None:
    hooked.config("spark.sql.shuffle.partitions", 5).getOrCreate()
    assert spark.conf.get("spark.sql.shuffle.partitions") == "5"


def test_without_the_variable_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.services.spark import install, session

    monkeypatch.delenv("HARNESS_SPARK", raising=False)
    assert not install()
    with pytest.raises(ConfigError, match="harness exec"):
        session()


def test_a_wrong_token_is_refused(services: dict[str, Any]) -> None:
    whole = services["spark"]
    stranger = Spark(whole.name, whole.spec, whole.endpoint.model_copy(update={"password": "guess"}))
    with pytest.raises(ServiceError, match="wrong token"):
        stranger.ping()


def test_the_driver_ends_with_its_host_and_nothing_is_left(tmp_path: Path) -> None:
    import psutil

    spec = SparkSpec(start_timeout=300)
    fleet = Fleet({"spark": ("spark", spec)}, folder=tmp_path, cache=cache_dir(), project=tmp_path, session="roles-3")
    fleet.start(lambda event: None)
    try:
        family = fleet.running["spark"].pids()
        assert len(family) >= 2
        psutil.Process(family[0]).kill()
        assert eventually(lambda: not any(psutil.pid_exists(pid) for pid in family[1:]))
        assert not fleet.running["spark"].alive()
    finally:
        fleet.stop()
    assert not (tmp_path / "spark" / "tmp").exists()
