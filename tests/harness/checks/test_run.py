from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.checks.cache import Cache
from harness.checks.config import Settings
from harness.checks.facts import FileFacts
from harness.checks.run import Request, check
from harness.checks.source.file import SourceFile
from harness.checks.suppress import suppressions
from harness.checks.walk import find_files
from harness.cli.main import main
from harness.errors import ConfigError, NothingChecked
from harness.report import check as formats

DAG_FILE = """\
from airflow.sdk import DAG, Variable
REGION = Variable.get("region")
with DAG("{name}", schedule=None):
    pass
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "one.py").write_text(DAG_FILE.format(name="one"))
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def rules_found(project: Path, **changes: object) -> list[str]:
    options: dict[str, Any] = {"load": False, **changes}
    request = Request((project / "dags",), Settings.load(project), **options)
    return [finding.rule for finding in check(request).findings]


def test_a_finding_names_file_line_column_and_what_to_do(project: Path) -> None:
    report = check(Request((Path("dags"),), Settings(select=("DAG401",)), load=False))
    (finding,) = report.findings
    assert (finding.path, finding.line, finding.column) == ("dags/one.py", 2, 10)
    assert finding.hint
    assert (report.verdict, report.files, report.dags) == ("fail", 1, 1)


def test_no_dag_at_all_is_not_a_success(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text("print('airflow')\n")
    with pytest.raises(NothingChecked):
        check(Request((tmp_path,), Settings(), load=False))


def test_a_comment_with_a_reason_hides_a_finding(project: Path) -> None:
    file = project / "dags" / "one.py"
    file.write_text(file.read_text().replace('"region")', '"region")  # harness: ignore[DAG401] a file backend'))
    assert "DAG401" not in rules_found(project)


def test_a_comment_without_a_reason_hides_nothing_and_is_found(project: Path) -> None:
    file = project / "dags" / "one.py"
    file.write_text(file.read_text().replace('"region")', '"region")  # harness: ignore[DAG401]'))
    assert {"DAG401", "DAG901"} <= set(rules_found(project))


def test_a_suppression_on_a_line_of_its_own_counts_for_the_next_line() -> None:
    (found,) = suppressions("# harness: ignore DAG401, DAG301 - the reason\n\nx = 1\n")
    assert (found.line, found.target, found.rules, found.reason) == (1, 3, ("DAG401", "DAG301"), "the reason")


def test_a_rule_is_ignored_for_a_path_with_a_reason(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.harness.check.per-path."dags/o*.py"]\nDAG401 = "moves to a file backend in spring"\n'
    )
    assert "DAG401" not in rules_found(project)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[tool.harness.check]\nselekt = ["DAG"]', "unknown key; did you mean 'select'?"),
        ('[tool.harness.check.ignore]\nDAG401 = " "', "DAG401 is ignored without a reason"),
        ('[tool.harness.check]\nfail-on = "never"', "fail-on"),
        ("[tool.harness", "not a TOML file"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_the_file(project: Path, text: str, words: str) -> None:
    (project / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        Settings.load(project)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(project / "pyproject.toml"))


def test_a_project_has_rules_of_its_own(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.harness.check]\nplugins = ["team_rules"]\nselect = ["ACME"]\n')
    (project / "team_rules.py").write_text(
        "import sys\n"
        "from harness.checks import at, rule\n"
        "from harness.hookspecs import hookimpl\n"
        "@rule('ACME001', 'short-ids', family='acme', severity='error')\n"
        "def short_ids(file):\n"
        "    '''An id is too short.'''\n"
        "    for dag in file.declared.dags:\n"
        "        if len(dag.name or '') < 5:\n"
        "            yield at(dag, 'the id is too short')\n"
        "@hookimpl\n"
        "def harness_rules():\n"
        "    return [sys.modules[__name__]]\n"
    )
    assert rules_found(project) == ["ACME001"]


@pytest.mark.parametrize(("zone", "found"), [("Europe/Berlin", ["DAG105"]), ("UTC", [])])
def test_a_timetable_is_judged_in_its_own_time_zone(project: Path, zone: str, found: list[str]) -> None:
    (project / "dags" / "one.py").write_text(
        "import pendulum\n"
        "from airflow.sdk import DAG, CronDataIntervalTimetable\n"
        "START = pendulum.datetime(2026, 1, 1, tz='UTC')\n"
        f"with DAG('one', schedule=CronDataIntervalTimetable('30 2 * * *', timezone='{zone}'), start_date=START):\n"
        "    pass\n"
    )
    assert [rule for rule in rules_found(project, load=True) if rule == "DAG105"] == found


def test_work_in_a_module_of_the_project_is_judged_where_it_stands(project: Path) -> None:
    (project / "jobs").mkdir()
    (project / "jobs" / "__init__.py").write_text("")
    (project / "jobs" / "load.py").write_text(
        "import requests\n"
        "def fetch(url):\n"
        "    return requests.get(url).ok\n"
        "def unused(url):\n"
        "    return requests.get(url).ok\n"
    )
    (project / "dags" / "two.py").write_text(
        "from airflow.sdk import DAG, task\n"
        "from jobs import load as work\n"
        "with DAG('two', schedule=None):\n"
        "    @task\n"
        "    def load():\n"
        "        return work.fetch('https://example.com')\n"
        "    load()\n"
    )
    report = check(Request((Path("dags"),), Settings(select=("DAG208",)), load=False))
    assert [(Path(f.path).name, f.line) for f in report.findings] == [("load.py", 3)]


def test_a_heavy_module_behind_an_import_inside_a_task_costs_no_parse(project: Path) -> None:
    (project / "jobs").mkdir()
    (project / "jobs" / "__init__.py").write_text("")
    (project / "jobs" / "spark.py").write_text("import pandas\ndef run():\n    return pandas.DataFrame()\n")
    code = "from airflow.sdk import DAG, task\n{top}with DAG('two', schedule=None):\n    @task\n    def load():\n"
    code += "        from jobs.spark import run\n        return run()\n    load()\n"
    (project / "dags" / "two.py").write_text(code.format(top=""))
    request = Request((Path("dags"),), Settings(select=("DAG406",)), load=False)
    assert check(request).findings == ()
    (project / "dags" / "two.py").write_text(code.format(top="import jobs.spark\n"))
    assert [(f.path, f.line) for f in check(request).findings] == [("jobs/spark.py", 1)]


def test_a_removed_name_is_said_once_by_the_rule_that_knows_more(project: Path) -> None:
    (project / "dags" / "one.py").write_text(
        "from airflow.models.dag import DAG\nfrom airflow.utils.dates import days_ago\n"
        "with DAG('one', schedule_interval='@daily', start_date=days_ago(1)):\n    pass\n"
    )
    found = check(Request((project / "dags",), Settings(select=("DAG604", "AIR301")), load=False)).findings
    assert [(f.rule, f.line) for f in found if "schedule_interval" in f.message] == [("DAG604", 3)]
    assert ("AIR301", 3) in [(f.rule, f.line) for f in found if "days_ago" in f.message]


class TestBaseline:
    @pytest.fixture
    def known(self, project: Path) -> Path:
        """A baseline of everything that is found in two files."""
        (project / "dags" / "two.py").write_text(DAG_FILE.format(name="two"))
        file = project / "known.json"
        assert rules_found(project, load=True, baseline=file, start=True) == []
        return file

    @staticmethod
    def paths(known: Path) -> set[str]:
        return {entry["path"] for entry in json.loads(known.read_text())["findings"]}

    def test_known_findings_are_hidden_and_new_ones_are_not(self, project: Path, known: Path) -> None:
        assert rules_found(project, baseline=known) == []
        (project / "dags" / "three.py").write_text(DAG_FILE.format(name="three"))
        assert "DAG401" in rules_found(project, baseline=known)
        assert "DAG401" in rules_found(project, baseline=known)

    def test_the_list_shrinks_with_what_is_repaired(self, project: Path, known: Path) -> None:
        before = self.paths(known)
        (project / "dags" / "one.py").write_text("from airflow.sdk import DAG\nDAG('one', schedule=None)\n")
        rules_found(project, load=True, baseline=known)
        assert before - self.paths(known) == {str(project / "dags" / "one.py")}

    @pytest.mark.parametrize("how", ["path", "rules", "read"])
    def test_what_a_check_did_not_look_for_stays_known(self, project: Path, known: Path, how: str) -> None:
        before = known.read_text()
        (project / "dags" / "one.py").write_text("from airflow.sdk import DAG\nDAG('one', schedule=None)\n")
        path = project / "dags" / "two.py" if how == "path" else project / "dags"
        settings = Settings(select=("DAG1",) if how == "rules" else ())
        check(Request((path,), settings, load=how != "read", cache=False, baseline=known))
        assert known.read_text() == before

    def test_a_list_that_is_there_is_not_started_again(self, project: Path, known: Path) -> None:
        with pytest.raises(ConfigError, match="can only shrink"):
            rules_found(project, baseline=known, start=True)

    def test_a_list_that_is_missing_hides_nothing(self, project: Path) -> None:
        with pytest.raises(ConfigError, match="no such baseline"):
            rules_found(project, baseline=project / "known.json")
        assert main(["check", "--no-load", "--baseline", "known.json"]) == 2
        assert main(["check", "--no-load", "--baseline", "known.json", "--start-baseline"]) == 0
        assert main(["check", "--no-load", "--start-baseline"]) == 2


class TestCache:
    @pytest.fixture
    def read(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Paths of the DAG files that are read, in order."""
        paths: list[str] = []
        original = SourceFile.read.__func__  # type: ignore[attr-defined]

        def noted(cls: type[SourceFile], path: Path, module: str = "", *, parsed: bool = True) -> SourceFile:
            if parsed:
                paths.append(path.name)
            return original(cls, path, module, parsed=parsed)  # type: ignore[no-any-return]

        monkeypatch.setattr(SourceFile, "read", classmethod(noted))
        return paths

    def test_a_file_that_has_not_changed_is_not_read_again(self, project: Path, read: list[str]) -> None:
        first = rules_found(project)
        (project / "dags" / "two.py").write_text(DAG_FILE.format(name="two"))
        second = rules_found(project)
        assert read == ["one.py", "two.py"]
        assert len(second) == 2 * len(first)

    def test_without_cache_every_file_is_read_again(self, project: Path, read: list[str]) -> None:
        rules_found(project)
        rules_found(project, cache=False)
        assert read == ["one.py", "one.py"]

    def test_other_settings_have_another_cache(self, project: Path, read: list[str]) -> None:
        rules_found(project)
        (project / "pyproject.toml").write_text('[tool.harness.check]\nselect = ["DAG1"]\n')
        assert rules_found(project) == []
        assert read == ["one.py", "one.py"]

    def test_a_file_whose_input_has_changed_is_looked_at_again(self, tmp_path: Path) -> None:
        names = {name: tmp_path / name for name in ("dag.py", "query.sql", "cache.json")}
        names["dag.py"].write_text("x = 1\n")
        names["query.sql"].write_text("select 1\n")
        path, query = str(names["dag.py"]), str(names["query.sql"])
        cache = Cache(names["cache.json"])
        cache.put(path, FileFacts(path=path, dags=("orders",)), [query])
        cache.save([path])
        assert Cache(names["cache.json"]).get(path) == FileFacts(path=path, dags=("orders",))
        names["query.sql"].write_text("select 2\n")
        assert Cache(names["cache.json"]).get(path) is None
        names["query.sql"].unlink()
        assert Cache(names["cache.json"]).get(path) is None

    def test_a_broken_cache_is_an_empty_one(self, tmp_path: Path) -> None:
        (tmp_path / "cache.json").write_text('{"half')
        assert Cache(tmp_path / "cache.json").get("dag.py") is None


class TestWalk:
    def test_ignore_files_links_in_a_circle_and_helpers_are_left_out(self, tmp_path: Path) -> None:
        (tmp_path / "deep" / "deeper").mkdir(parents=True)
        for name in ("a.py", "deep/b.py", "deep/deeper/c.py", "deep/old_d.py"):
            (tmp_path / name).write_text("# a dag of airflow\n")
        (tmp_path / "helper.py").write_text("print('nothing to do with it')\n")
        (tmp_path / "notebook.ipynb").write_text("{}")
        (tmp_path / "deep" / ".airflowignore").write_text("old_*\n# comment\ndeeper/\n")
        (tmp_path / "deep" / "circle").symlink_to(tmp_path)
        found = find_files([tmp_path])
        assert [os.path.relpath(path, tmp_path) for path in found.files] == ["a.py", "deep/b.py"]

    def test_links_that_lead_nowhere_and_pipes_are_problems(self, tmp_path: Path) -> None:
        (tmp_path / "self.py").symlink_to("self.py")
        (tmp_path / "self").symlink_to("self")
        (tmp_path / "gone.py").symlink_to("nowhere.py")
        os.mkfifo(tmp_path / "pipe.py")
        found = find_files([tmp_path])
        assert found.files == []
        assert {Path(problem.path).name for problem in found.problems} == {"self.py", "gone.py", "pipe.py"}

    def test_a_huge_file_is_a_problem_and_not_read(self, tmp_path: Path) -> None:
        (tmp_path / "huge.py").write_text("# airflow dag\n" + "x = 1\n" * 400_000)
        found = find_files([tmp_path])
        assert found.files == []
        assert "MB" in str(found.problems[0].error)

    def test_a_path_that_does_not_exist_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError):
            find_files([tmp_path / "nothing"])


class TestCommand:
    def test_the_exit_code_says_what_was_found(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", "--no-load", "--json"]) == 1
        report = json.loads(capsys.readouterr().out)
        assert report["schema"] == "harness.check/1"
        assert report["verdict"] == "fail"
        assert {"rule", "path", "line", "dag_id", "message", "hint"} <= report["findings"][0].keys()
        assert main(["check", "--no-load", "--ignore", "DAG401"]) == 0
        assert main(["check", "nowhere"]) == 2
        (project / "empty").mkdir()
        assert main(["check", "empty", "--no-load"]) == 4

    def test_a_warning_fails_when_it_is_asked_to(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (project / "dags" / "one.py").write_text("import pandas\nfrom airflow.sdk import DAG\nDAG('one')\n")
        assert main(["check", "--no-load"]) == 0
        assert main(["check", "--no-load", "--fail-on", "warning"]) == 1

    @pytest.mark.parametrize("option", ["--select", "--ignore"])
    def test_a_rule_that_does_not_exist_is_not_asked_in_silence(
        self, project: Path, option: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["check", "--no-load", option, "DAG401,varable-at-parse"]) == 2
        assert "did you mean 'variable-at-parse'" in capsys.readouterr().err

    def test_a_rule_is_chosen_by_name_as_by_id(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", "--no-load", "--select", "variable-at-parse"]) == 1
        assert main(["check", "--no-load", "--ignore", "variable-at-parse"]) == 0
        assert main(["check", "--no-load", "--select", "removed-name"]) == 0

    def test_usage_of_nothing_is_no_answer(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (project / "empty").mkdir()
        assert main(["check", "empty", "--no-load", "--usage", "--json"]) == 4

    def test_a_rule_is_explained_by_id_or_name(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", "--explain", "masked-failure"]) == 0
        assert "DAG012" in capsys.readouterr().out
        assert main(["check", "--explain", "DAG1234"]) == 2

    def test_what_dags_use_is_listed_with_its_place(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", "--no-load", "--usage", "--json"]) == 0
        (use,) = json.loads(capsys.readouterr().out)["usages"]
        assert (use["kind"], use["name"], use["path"], use["line"]) == ("variable", "region", "dags/one.py", 2)

    def test_github_shows_a_finding_at_its_line(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        main(["check", "--no-load", "--select", "DAG401", "--format", "github"])
        assert capsys.readouterr().out.startswith("::error file=dags/one.py,line=2,col=10,title=DAG401")


def test_sarif_names_rule_level_and_place(project: Path) -> None:
    from harness.checks.registry import Registry

    report = check(Request((Path("dags"),), Settings(select=("DAG401",)), load=False))
    log = formats.sarif(report, list(Registry.load().rules.values()), "1.0")
    run = log["runs"][0]
    (result,) = run["results"]
    assert result["level"] == "error"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "DAG401"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 2, "startColumn": 10}
