"""Shows a check: text with the offending lines, and the formats of CI systems: JUnit, SARIF, GitHub annotations."""

from __future__ import annotations

import linecache
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from rich.markup import escape

from harness.checks.model import SEVERITIES, CheckReport, Finding, Severity
from harness.models.words import count
from harness.report.console import console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from harness.checks.registry import Rule

_STYLES: dict[Severity, str] = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_SARIF_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}
_GITHUB_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "notice"}
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


#: findings of one rule in one file that are shown one by one
SHOWN = 3


def print_text(report: CheckReport, *, excerpt: bool = True, every: bool = False, out: Console | None = None) -> None:
    """Print the findings for people, file by file, and the counts.

    Args:
        report: of the check.
        excerpt: show the lines.
        every: show all findings; else those of one rule in one file are folded from the fourth on.
        out: where to.
    """
    out = out or console(stderr=False)
    alike = Counter((finding.path, finding.rule) for finding in report.findings)
    told: Counter[tuple[str, str]] = Counter()
    for finding in report.findings:
        kind = (finding.path, finding.rule)
        told[kind] += 1
        if not every and alike[kind] > SHOWN + 1 and told[kind] > SHOWN:
            if told[kind] == alike[kind]:
                out.print(
                    f"{escape(finding.path)} [dim]{finding.rule}: {alike[kind] - SHOWN} more; -v shows them[/dim]"
                )
            continue
        style = _STYLES[finding.severity]
        place = escape(finding.place)
        out.print(f"{place} [{style}]{finding.rule}[/{style}] {escape(finding.message)} [dim]({finding.name})[/dim]")
        source = linecache.getline(finding.path, finding.line).rstrip() if excerpt else ""
        if source.strip():
            out.print(f"    [dim]{finding.line:>4} |[/dim] {escape(source.strip()[:140])}")
        if finding.hint:
            out.print(f"    [dim]hint:[/dim] {escape(finding.hint)}")
    out.print(_summary(report))


def print_statistics(report: CheckReport, *, out: Console | None = None) -> None:
    """Print how often each rule was found, the most frequent first, and the counts."""
    from rich.table import Table

    out = out or console(stderr=False)
    known = {finding.rule: finding for finding in report.findings}
    table = Table(box=None, show_header=False, pad_edge=False)
    for rule, number in report.statistics.items():
        style = _STYLES[known[rule].severity]
        table.add_row(str(number), f"[{style}]{rule}[/{style}]", f"[dim]{known[rule].name}[/dim]")
    if known:
        out.print(table)
    out.print(_summary(report))


def _summary(report: CheckReport) -> str:
    style = "bold green" if report.passed else "bold red"
    counts = [count(report.count(severity), severity) for severity in SEVERITIES if report.count(severity)]
    found = ", ".join(counts) if counts else "nothing found"
    hidden = f", {report.hidden} hidden by a reason or the baseline" if report.hidden else ""
    where = f"{count(report.files, 'file')}, {count(report.dags, 'DAG')} in {report.seconds:.1f} s"
    return f"[{style}]{report.verdict.upper()}[/{style}] {found}{hidden}; {where}"


def print_page(rule: Rule, out: Console | None = None) -> None:
    """Print a rule's page: `harness check --explain DAG012`."""
    out = out or console(stderr=False)
    page = rule.page
    style = _STYLES[rule.severity]
    out.print(f"[bold]{rule.id}[/bold] {rule.name} ({escape(rule.family)}, [{style}]{rule.severity}[/{style}])")
    out.print(f"\n{escape(page.summary)}")
    for title, text in (("", page.why), ("Bad", page.bad), ("Good", page.good), ("Found as well", page.tricky)):
        if text:
            head = f"\n[bold]{title}[/bold]\n" if title else "\n"
            body = "\n".join(f"    {line}" for line in text.splitlines()) if title else text
            out.print(f"{head}{escape(body)}")
    for title, text in (("Limits", page.limits), ("Source", page.source)):
        if text:
            out.print(f"\n[bold]{title}[/bold] {escape(text)}")
    out.print(f"\n[bold]Hide it[/bold] {escape(f'# harness: ignore[{rule.id}] the reason')}")


def github(report: CheckReport) -> Iterator[str]:
    """Yield one workflow command for each finding, which GitHub shows at the line."""
    for finding in report.findings:
        file = _github_property(_from_here(finding.path))
        place = f"file={file},line={finding.line},col={finding.column},title={finding.rule} {finding.name}"
        text = finding.message + (f" ({finding.hint})" if finding.hint else "")
        yield f"::{_GITHUB_LEVELS[finding.severity]} {place}::{_github_text(text)}"


def _github_text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return _github_text(text).replace(":", "%3A").replace(",", "%2C")


def _from_here(path: str) -> str:
    """Return a path as viewers of a repository know it: relative to the working folder, when it is below."""
    here = Path.cwd()
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - unlike resolve() it keeps links, as their users do
    return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else absolute.as_posix()


def junit(report: CheckReport) -> str:
    """Return the report as JUnit XML: one test case for each file, failed by what fails the check."""
    by_file: dict[str, list[Finding]] = {path: [] for path in report.paths}
    for finding in report.findings:
        by_file.setdefault(finding.path, []).append(finding)
    bad = [path for path, found in by_file.items() if any(f.at_least(report.fail_on) for f in found)]
    suite = ET.Element(
        "testsuite",
        name="harness check",
        tests=str(len(by_file)),
        failures=str(len(bad)),
        errors="0",
        skipped="0",
        time=f"{report.seconds:.3f}",
    )
    for path, found in by_file.items():
        case = ET.SubElement(suite, "testcase", classname="harness.check", name=path, time="0")
        errors = [f for f in found if f.at_least(report.fail_on)]
        if errors:
            words = _xml(f"{errors[0].rule} {errors[0].message}")
            failure = ET.SubElement(case, "failure", message=words, type=errors[0].rule)
            failure.text = _xml("\n".join(_line(f) for f in errors))
        others = [_line(f) for f in found if f not in errors]
        if others:
            ET.SubElement(case, "system-out").text = _xml("\n".join(others))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _xml(text: str) -> str:
    """Leave out the characters that XML 1.0 has no way to write; messages of exceptions may hold any."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)


def _line(finding: Finding) -> str:
    return f"{finding.place} {finding.severity} {finding.rule} {finding.message}" + (
        f" ({finding.hint})" if finding.hint else ""
    )


def sarif(report: CheckReport, rules: Sequence[Rule], version: str) -> dict[str, Any]:
    """Return the report as a SARIF 2.1.0 log.

    Args:
        rules: those that were asked; ruff's are described by their findings.
        version: the harness's own.
    """
    described = {rule.id: _sarif_rule(rule) for rule in rules}
    for finding in report.findings:
        described.setdefault(finding.rule, {"id": finding.rule, "name": finding.name or finding.rule})
    order = {rule_id: number for number, rule_id in enumerate(described)}
    driver = {
        "name": "harness check",
        "version": version,
        "informationUri": "https://github.com/dtap-harness/dtap-harness",
        "rules": list(described.values()),
    }
    results = [_sarif_result(finding, order) for finding in report.findings]
    run = {"tool": {"driver": driver}, "results": results, "columnKind": "unicodeCodePoints"}
    return {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.page.summary},
        "fullDescription": {"text": rule.page.why or rule.page.summary},
        "defaultConfiguration": {"level": _SARIF_LEVELS[rule.severity]},
        "properties": {"tags": [rule.family]},
    }


def _sarif_result(finding: Finding, order: dict[str, int]) -> dict[str, Any]:
    path = _from_here(finding.path)
    uri = quote(path) if not Path(path).is_absolute() else Path(path).as_uri()
    text = finding.message + (f" ({finding.hint})" if finding.hint else "")
    return {
        "ruleId": finding.rule,
        "ruleIndex": order[finding.rule],
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri},
                    "region": {"startLine": finding.line, "startColumn": finding.column},
                }
            }
        ],
    }


def by_family(report: CheckReport) -> dict[str, list[Finding]]:
    """Group the findings by the family of their rule."""
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        groups[finding.family].append(finding)
    return dict(groups)


class CheckProgress:
    """Shows on a terminal which file is being looked at; silent elsewhere. Use it in a `with` block."""

    def __init__(self) -> None:
        self._console = console()
        self._status: Status | None = None

    def __enter__(self) -> CheckProgress:
        if self._console.is_terminal:
            self._status = self._console.status("looking for DAG files")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def __call__(self, done: int, total: int, what: str) -> None:
        if self._status is not None:
            self._status.update(f"{done}/{total} {escape(what)}")
