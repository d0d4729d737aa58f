"""The pytest plugin: environments as parameters, services and DAG runs as fixtures.

Nothing heavy is imported here: pytest loads this module in every project that has the harness installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.plugin.unit import (
    airflow_connection,
    airflow_variable,
    mock_aws,
    mock_hook,
    task_context,
    task_logs,
)

if TYPE_CHECKING:
    from harness.api import Session
    from harness.environment import Environment
    from harness.models.proof import DagProofs
    from harness.models.run import RunReport
    from harness.plugin.shared import SharedRuns
    from harness.session.client import Namespace

# pytest finds the fixtures of a plugin in its own module
__all__ = ["airflow_connection", "airflow_variable", "mock_aws", "mock_hook", "task_context", "task_logs"]

RUNS: pytest.StashKey[list[RunReport]] = pytest.StashKey()
SHARED: pytest.StashKey[SharedRuns] = pytest.StashKey()
AT_WORK: pytest.StashKey[list[int]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options by which a project names its environments and folders."""
    group = parser.getgroup("harness", "Airflow pipelines on real services")
    group.addoption(
        "--env",
        action="append",
        metavar="NAME",
        help="environment to test on; repeat it for a matrix (default: the ini option harness_env)",
    )
    group.addoption("--environments", metavar="DIR", help="folder of the environment files")
    group.addoption("--dags", metavar="DIR", help="folder of the DAG files")
    group.addoption(
        "--update-expectations",
        action="store_true",
        help="store what expect_table, expect_objects and expect_topic find where a test gives no rows",
    )
    group.addoption(
        "--harness-check",
        action="store_true",
        help="judge the DAG files too: each file and family of rules is a test (see `harness check`)",
    )
    parser.addini("harness_env", "environments to test on when --env is not given", type="args", default=["dev"])
    parser.addini("harness_environments", "folder of the environment files", default="environments")
    parser.addini("harness_dags", "folder of the DAG files", default="dags")
    parser.addini("harness_deadline", "seconds for each run_dag call that names no deadline", default="600")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    config.addinivalue_line("markers", "proofs: decides properties by running a DAG many times")
    config.addinivalue_line(
        "markers",
        "dag_runs(dag_id, run, ...): judges these runs, which tests share; each is a date or options of run_dag",
    )
    config.addinivalue_line("markers", "stages(name, ...): run this test only on environments of these stages")
    config.addinivalue_line(
        "markers",
        "needs(feature, ...): skip unless the environment has the role ('kafka') or feature ('s3:versioning')",
    )
    if config.getoption("--harness-check") and not config.pluginmanager.has_plugin("harness-check"):
        from harness.plugin.check_items import CheckItems

        names = config.getoption("--env")
        environment = _load(config, names[0]) if names else None
        config.pluginmanager.register(CheckItems(_folder(config, "dags"), environment), "harness-check")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses an environment once for each environment asked for."""
    if "environment_name" in metafunc.fixturenames:
        names = metafunc.config.getoption("--env") or metafunc.config.getini("harness_env")
        metafunc.parametrize("environment_name", list(dict.fromkeys(names)), scope="session")


@pytest.fixture(scope="session")
def environments_folder(pytestconfig: pytest.Config) -> Path:
    """Folder of the environment files."""
    return _folder(pytestconfig, "environments")


@pytest.fixture(scope="session")
def dags_folder(pytestconfig: pytest.Config) -> Path:
    """Folder of the DAG files."""
    return _folder(pytestconfig, "dags")


@pytest.fixture(scope="session")
def environment(environment_name: str, environments_folder: Path) -> Environment:
    """The environment under test, resolved and checked."""
    from harness.environment import Environment

    return Environment.load(environment_name, folder=environments_folder)


@pytest.fixture(scope="session")
def harness_session(environment: Environment, dags_folder: Path) -> Iterator[Session]:
    """The environment's services, started once and shared by all tests, workers and sessions that want the same."""
    from harness.api import Session

    with Session(environment, dags=dags_folder) as session:
        yield session


@pytest.fixture
def namespace(request: pytest.FixtureRequest, harness_session: Session) -> Iterator[Namespace]:
    """This test's own slice of every service; removed when the test ends.

    A test that is marked with `dag_runs` reads the namespace in which those runs were made, which it shares.
    Where the code of a DAG that the test's module names has names of buckets, topics or databases in it, the test has
    those services to itself, under the declared names.
    """
    from harness.plugin.names import named_in
    from harness.plugin.shared import asked_by

    if asked := asked_by(request.node):
        shared = request.getfixturevalue("shared_dag_runs")
        with shared.lent(asked, request.node.nodeid) as opened:
            yield opened
        return
    with harness_session.namespace(alone=named_in(request, harness_session)) as opened:
        yield opened


@pytest.fixture
def postgres(namespace: Namespace) -> Any:
    """The Postgres of this test: `.client` is a psycopg connection to its first database."""
    return _service(namespace, "postgres")


@pytest.fixture
def s3(namespace: Namespace) -> Any:
    """The object store of this test: `.client` is a boto3 client."""
    return _service(namespace, "s3")


@pytest.fixture
def kafka(namespace: Namespace) -> Any:
    """The broker of this test: `.client` makes confluent_kafka producers and consumers."""
    return _service(namespace, "kafka")


@pytest.fixture
def http(namespace: Namespace) -> Any:
    """The synthetic upstream systems: `.client` is an httpx client."""
    return _service(namespace, "http")


@pytest.fixture
def smtp(namespace: Namespace) -> Any:
    """The mail server of this test: `.messages()` is what was sent."""
    return _service(namespace, "smtp")


@pytest.fixture
def spark(namespace: Namespace) -> Any:
    """A SparkSession of this test on the resident driver."""
    return _service(namespace, "spark").client


@pytest.fixture
def run_dag(request: pytest.FixtureRequest, harness_session: Session, namespace: Namespace) -> Callable[..., RunReport]:
    """Run a DAG in this test's namespace: `run_dag("orders", date="2026-01-02")`; arguments as for `Session.run`.

    When the test fails, the task table, what changed in the stores and the failed tasks' logs are in its report.
    """

    from harness.plugin.shared import asked_by

    def run(dag_id: str, **options: Any) -> RunReport:
        if asked_by(request.node):
            pytest.fail("the runs that the marker dag_runs names are shared, and this would be one more", pytrace=False)
        options.setdefault("deadline", float(request.config.getini("harness_deadline")))
        report = harness_session.run(dag_id, namespace=namespace, **options)
        request.node.stash.setdefault(RUNS, []).append(report)
        return report

    return run


@pytest.fixture
def dag_runs(request: pytest.FixtureRequest, namespace: Namespace) -> tuple[RunReport, ...]:
    """The reports of the runs that the marker `dag_runs` names; made once, for all tests that judge the same.

    The stores, as `s3` or `postgres` show them, are as the last of the runs has left them. Read them; a change fails.
    """
    from harness.plugin.shared import asked_by

    if (asked := asked_by(request.node)) is None:
        raise pytest.UsageError('say which: @pytest.mark.dag_runs("orders", "2026-01-01")')
    reports: tuple[RunReport, ...] = request.getfixturevalue("shared_dag_runs").take(asked).reports
    request.node.stash.setdefault(RUNS, []).extend(reports)
    return reports


@pytest.fixture(scope="session")
def shared_dag_runs(
    pytestconfig: pytest.Config, harness_session: Session, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedRuns]:
    """What the marker `dag_runs` asks for; for the plugin's own use."""
    from harness.plugin.shared import SharedRuns

    deadline = float(pytestconfig.getini("harness_deadline"))
    folder = _shared_folder(pytestconfig, tmp_path_factory) / harness_session.environment.name
    at_work = pytestconfig.stash.get(AT_WORK, [])
    shared = pytestconfig.stash[SHARED] = SharedRuns(harness_session, folder, deadline, at_work)
    yield shared
    del pytestconfig.stash[SHARED]
    shared.close()


@pytest.fixture
def prove_dag(harness_session: Session) -> Callable[..., DagProofs]:
    """Decide properties of a DAG: `prove_dag("orders", "rerun", "atomic")`; fails with what refutes them.

    Give `check=False` to look at the outcomes instead. Scenarios have namespaces of their own.
    """

    def decide(dag_id: str, *properties: str, check: bool = True, deadline: float | None = None) -> DagProofs:
        from harness.proofs import prove
        from harness.report.prove import unproven

        (found,) = prove(harness_session, [dag_id], properties, deadline=deadline).dags
        if check and (told := unproven(found)):
            pytest.fail(told, pytrace=False)
        return found

    return decide


@pytest.fixture(scope="session")
def dag_bag(dags_folder: Path) -> Any:
    """Airflow's DagBag of the project's DAG folder, without Airflow's examples; parsed in this process."""
    from harness._compat.dagbag import load_dag_bag

    return load_dag_bag(dags_folder)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose markers do not allow it on this environment, before anything is started for it."""
    spec = getattr(item, "callspec", None)
    if spec is None or "environment_name" not in spec.params:
        return
    from harness.plugin.needs import reason_to_skip

    environment = _load(item.config, spec.params["environment_name"])
    if reason := reason_to_skip(environment, list(item.iter_markers())):
        pytest.skip(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of a file that judge the same runs follow one another."""
    if any(item.get_closest_marker("dag_runs") for item in items):
        from harness.plugin.shared import side_by_side

        side_by_side(items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Before any worker begins, say that this one may ask for shared runs."""
    config = session.config
    if hasattr(config, "workerinput") and any(item.get_closest_marker("dag_runs") for item in session.items):
        from harness.plugin.shared import at_work

        folder = _shared_folder(config, config._tmp_path_factory)  # type: ignore[attr-defined]  # no fixtures here yet
        config.stash[AT_WORK] = at_work(session.items, folder, config.workerinput["workerid"])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Let go of shared runs that others may wait for, when the next test judges other ones."""
    shared = item.config.stash.get(SHARED, None)
    if shared is not None:
        shared.last = nextitem is None
    yield
    if nextitem is not None and shared is not None:
        from harness.plugin.shared import asked_by

        shared.let_go(but=asked_by(nextitem))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Take back what was said to other workers, when no test of this one has asked for shared runs."""
    import os

    for lock in session.config.stash.get(AT_WORK, []):
        os.close(lock)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Say whose stored expectations are meant, as long as the test runs."""
    from harness.expect.stored import shelf_of

    test = item.nodeid.partition("::")[2] or item.name
    with shelf_of(item.path, test, update=bool(item.config.getoption("--update-expectations"))):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Attach the runs of a failing test to its report."""
    report = yield
    if call.when == "call" and report.failed:  # type: ignore[attr-defined]
        from harness.report.text import run_sections

        for run in item.stash.get(RUNS, []):
            report.sections.extend(run_sections(run))  # type: ignore[attr-defined]
    return report


def _folder(config: pytest.Config, name: str) -> Path:
    chosen = config.getoption(f"--{name}")
    return Path(chosen).resolve() if chosen else config.rootpath / config.getini(f"harness_{name}")


def _shared_folder(config: pytest.Config, factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    return (base.parent if hasattr(config, "workerinput") else base) / "dag-runs"


def _load(config: pytest.Config, name: str) -> Environment:
    from harness.environment import Environment

    return Environment.load(name, folder=_folder(config, "environments"))


def _service(namespace: Namespace, role: str) -> Any:
    found = [service for service in namespace.services.values() if service.role == role]
    if not found:
        pytest.skip(f"this environment has no {role} service")
    return found[0]
