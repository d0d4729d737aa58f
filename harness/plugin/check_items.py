"""`pytest --harness-check`: one test item for each DAG file and family of rules, and one for what concerns no file.

The check runs once, when the first of the items does; each finding fails (or, when it is not serious enough, is shown
with) exactly one item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.checks.config import Settings
    from harness.checks.model import CheckReport, Finding

REST = "rest"
"""Name of the item for findings outside of the DAG files and families that were known beforehand."""


class CheckItems:
    """Adds the items, and runs the check.

    Args:
        dags: folder of the DAG files.
        environment: what DAGs must find there; None asks nothing about it.
    """

    def __init__(self, dags: Path, environment: Any) -> None:
        self.dags = dags
        self.environment = environment
        self._report: CheckReport | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the items before others select among all, by name or by marker."""
        items.extend(FamilyItem.made(session, self, file, family) for file, family in self._keys())
        items.append(FamilyItem.made(session, self, self.dags, REST))

    def settings(self) -> Settings:
        """Return the project's settings of the check."""
        from harness.checks.config import Settings

        return Settings.load(self.dags)

    def report(self) -> CheckReport:
        """Return the report of the check, after running it when no item has."""
        if self._report is None:
            from harness.checks.run import Request, check

            self._report = check(Request((self.dags,), self.settings(), self.environment))
        return self._report

    def findings(self, file: Path, family: str) -> list[Finding]:
        """Return the findings that belong to one item."""
        keys = set(self._keys())
        place = {finding: (Path(finding.path).resolve(), finding.family) for finding in self.report().findings}
        if family == REST:
            return [finding for finding, key in place.items() if key not in keys]
        return [finding for finding, key in place.items() if key == (file, family)]

    def _keys(self) -> Iterator[tuple[Path, str]]:
        from harness.checks.registry import registry_of
        from harness.checks.run import project_root
        from harness.checks.walk import find_files

        project = project_root(self.dags)
        rules = registry_of(self.settings().plugins, project).rules.values()
        families = sorted({rule.family for rule in rules})
        found = find_files((self.dags,), project)
        for path in sorted([*found.files, *found.archives]):
            yield from ((Path(path).resolve(), family) for family in families)


class FamilyItem(pytest.Item):
    """The findings of one family of rules in one file."""

    check: CheckItems
    family: str
    # plugins look here for what a test function was given, and do not ask whether it is one
    funcargs: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def made(cls, session: pytest.Session, check: CheckItems, file: Path, family: str) -> FamilyItem:
        """Return the item `FILE::FAMILY`."""
        root = session.config.rootpath
        shown = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()
        name = family.replace(" ", "-")
        item: FamilyItem = cls.from_parent(session, name=name, nodeid=f"{shown}::{name}")
        item.path, item.check, item.family = file, check, family
        item.extra_keyword_matches.add(shown)
        return item

    def runtest(self) -> None:
        """Fail for findings that are as serious as the settings say; show the others."""
        found = self.check.findings(self.path, self.family)
        least = self.check.settings().fail_on
        bad = [finding for finding in found if finding.at_least(least)]
        if bad:
            raise FoundError(bad)
        for finding in found:
            self.add_report_section("call", finding.severity, _told(finding))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show findings and the harness's own errors in words, without a traceback."""
        from harness.errors import HarnessError

        if isinstance(excinfo.value, FoundError | HarnessError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the item in reports."""
        return self.path, None, self.nodeid


class FoundError(Exception):
    """A file has findings."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(_told(finding) for finding in findings))


def _told(finding: Finding) -> str:
    hint = f"\n    hint: {finding.hint}" if finding.hint else ""
    place = finding.place.removeprefix(f"{Path.cwd()}/")
    return f"{place} {finding.rule} {finding.message} ({finding.name}){hint}"
