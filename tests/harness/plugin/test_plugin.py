from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.session import records

DAG = """
from datetime import datetime
from airflow.sdk import dag, task

@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def greets():
    @task
    def greet():
        import os, socket
        host, port = os.environ["TOY"].split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"put {os.environ['TOY_PREFIX']}greeting hello\\n".encode())
            connection.makefile().read()

    greet()

greets()

@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def stumbles():
    @task
    def stumble():
        print("one foot before the other")
        raise ValueError("a stone")

    stumble()

stumbles()
"""


@pytest.fixture
def suite(
    toy_project: Path,
    pytester: pytest.Pytester,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[pytest.Pytester]:
    """A pytest project on the toy service; it has left no session behind."""
    monkeypatch.chdir(toy_project)
    monkeypatch.setenv("HARNESS_RUNTIME", str(tmp_path_factory.mktemp("r")))
    (toy_project / "dags").mkdir()
    (toy_project / "dags" / "greets.py").write_text(DAG)
    (toy_project / "pytest.ini").write_text("[pytest]\n")
    yield pytester
    assert list(records.records()) == []


def run(suite: pytest.Pytester, project: Path, test: str, *options: str) -> pytest.RunResult:
    (project / "test_it.py").write_text(test)
    return suite.runpytest_subprocess("-p", "no:cacheprovider", f"--rootdir={project}", str(project), *options)


def test_a_service_and_a_run_are_fixtures_of_one_namespace(suite: pytest.Pytester, toy_project: Path) -> None:
    result = run(
        suite,
        toy_project,
        """
        def test_greeting(run_dag, namespace):
            report = run_dag("greets")
            assert report.runs[0].states == {"greet": "success"}
            assert [one.name for one in report.runs[0].outputs] == ["greeting"]
            assert namespace.services["toy"].snapshot()[0].digests == {"hello": 1}

        def test_a_fresh_start(namespace):
            assert namespace.services["toy"].snapshot() == []
        """.replace("\n        ", "\n"),
    )
    result.assert_outcomes(passed=2)


def test_the_report_of_a_failing_test_holds_tasks_and_logs(suite: pytest.Pytester, toy_project: Path) -> None:
    result = run(suite, toy_project, 'def test_it(run_dag):\n    assert run_dag("stumbles").passed\n')
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*harness run stumbles: fail*",
            "*stumble failed on its only try: ValueError: a stone*",
            "*log of stumble, try 1*",
        ]
    )
    result.stdout.fnmatch_lines(["*one foot before the other*"])


def test_each_environment_is_a_parameter(suite: pytest.Pytester, toy_project: Path) -> None:
    (toy_project / "environments" / "test.yaml").write_text("extends: dev\nstage: test\n")
    test = "def test_stage(environment):\n    print(environment.spec.stage)\n"
    result = run(suite, toy_project, test, "--env", "dev", "--env", "test", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_stage?dev? PASSED*", "*test_stage?test? PASSED*"])


@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        ('stages("acc")', "dev is of stage dev; the test is for acc"),
        ('needs("kafka")', "dev has no kafka service"),
        ('needs("toy:persistence")', "toy (embedded) cannot show persistence: the toy forgets all at its end"),
    ],
    ids=["stage", "role", "fidelity"],
)
def test_a_marker_that_does_not_fit_skips_loudly(
    suite: pytest.Pytester, toy_project: Path, marker: str, reason: str
) -> None:
    test = f"import pytest\n@pytest.mark.{marker}\ndef test_it(namespace):\n    raise AssertionError\n"
    result = run(suite, toy_project, test, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines([f"SKIPPED*{reason}"])


def test_xdist_workers_share_one_session(suite: pytest.Pytester, toy_project: Path) -> None:
    test = """
import pytest

@pytest.mark.parametrize("number", range(4))
def test_it(number, harness_session, namespace):
    with open("sessions", "a") as file:
        file.write(harness_session.id + "\\n")
    namespace.services["toy"].put("greeting", str(number))
    assert namespace.services["toy"].snapshot()[0].digests == {str(number): 1}
"""
    result = run(suite, toy_project, test, "-n", "2")
    result.assert_outcomes(passed=4)
    assert len(set((toy_project / "sessions").read_text().split())) == 1


def test_a_broken_environment_is_one_line(suite: pytest.Pytester, toy_project: Path) -> None:
    (toy_project / "environments" / "dev.yaml").write_text("stage: dev\nservises: {}\n")
    result = run(suite, toy_project, "def test_it(environment):\n    pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*environments/dev.yaml:2:1: servises: unknown key; did you mean 'services'?*"])


def test_dag_bag_holds_the_projects_dags_and_no_others(suite: pytest.Pytester, toy_project: Path) -> None:
    test = "def test_it(dag_bag):\n    assert sorted(dag_bag.dags) == ['greets', 'stumbles']\n"
    run(suite, toy_project, test).assert_outcomes(passed=1)


def test_an_expectation_without_rows_is_stored_next_to_its_test(suite: pytest.Pytester, toy_project: Path) -> None:
    test = "from harness.expect.check import check\ndef test_it():\n    check('sales', None, [{'id': %d}])\n"

    run(suite, toy_project, test % 1).assert_outcomes(failed=1)
    run(suite, toy_project, test % 1, "--update-expectations").assert_outcomes(passed=1)
    run(suite, toy_project, test % 1).assert_outcomes(passed=1)
    result = run(suite, toy_project, test % 2)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*sales: 1 missing, 1 unexpected; found 1 row, expected 1*"])
    assert (toy_project / "expected" / "test_it" / "test_it" / "sales.json").exists()


LITERAL = """
from datetime import datetime
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import DAG, task

with DAG("lands", schedule=None, start_date=datetime(2026, 1, 1)):

    @task
    def put(run_id=None):
        S3Hook("aws_default").load_string("hello", key=f"raw/{run_id}.txt", bucket_name="landing")

    put()
"""


def test_workers_whose_dag_names_a_bucket_do_not_see_each_other(suite: pytest.Pytester, toy_project: Path) -> None:
    (toy_project / "dags" / "lands.py").write_text(LITERAL)
    (toy_project / "environments" / "dev.yaml").write_text(
        "stage: dev\nservices: {s3: {buckets: [landing]}}\nairflow: {connections: {aws_default: {service: s3}}}\n"
    )
    test = """
    import pytest

    @pytest.mark.parametrize("number", range(4))
    def test_one_object_is_there(run_dag, s3, number):
        report = run_dag("lands")
        assert report.passed, report.reasons
        assert [one.rows_before for one in report.runs[0].outputs] == [0]
        assert len(s3.client.list_objects_v2(Bucket="landing")["Contents"]) == 1
    """.replace("\n    ", "\n")

    result = run(suite, toy_project, test, "-n", "2")

    result.assert_outcomes(passed=4)
