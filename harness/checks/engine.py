"""Asks every rule about everything it is about, and decides which of its hits are findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.checks.config import Settings
from harness.checks.graph import Dag
from harness.checks.model import Finding
from harness.checks.project import Loaded, Project
from harness.checks.registry import Hit, Registry, Rule
from harness.checks.source.file import SourceFile
from harness.checks.suppress import Suppression, suppressions

META = "DAG9"
"""Rules about suppressions: they come last, and nothing suppresses them."""

_LAST = ("DAG902",)


@dataclass
class Judgement:
    """What the rules came to.

    Args:
        findings: those that count, by place.
        hidden: those that a reason hides.
    """

    findings: list[Finding] = field(default_factory=list)
    hidden: list[Finding] = field(default_factory=list)


class Judge:
    """Asks the rules about one project.

    Args:
        environment: for rules that need one; None leaves them out.
    """

    def __init__(self, registry: Registry, settings: Settings, environment: Any = None) -> None:
        self.registry = registry
        self.settings = settings
        self.environment = environment
        self.rules = [rule for rule in registry.rules.values() if self._selected(rule)]

    def _selected(self, rule: Rule) -> bool:
        wanted = self.settings.select
        return rule.id.startswith(wanted) or rule.name in wanted if wanted else rule.default

    def judge(self, project: Project, more: Iterable[Finding] = ()) -> Judgement:
        """Ask all rules about the project; `more` are findings of other tools, judged in the same way."""
        found = [finding for rule in self.rules if rule.id not in _LAST for finding in self._of(rule, project)]
        own = {(f.path, f.line): f for f, _ in found if f.family == "compatibility"}
        subjects = {(f.path, f.line, subject) for f, subject in found if subject}
        kept = [f for f, _ in found] + [f for f in more if not self._repeats(f, subjects, own)]
        return self._filtered(project, kept)

    def _repeats(self, finding: Finding, subjects: set[tuple[str, int, str]], own: dict[Any, Finding]) -> bool:
        wanted = self.settings.select
        if wanted and not finding.rule.startswith(wanted):
            return True
        return any(
            path == finding.path and abs(line - finding.line) <= 20 and f"`{subject}`" in finding.message
            for path, line, subject in subjects
        )

    def _of(self, rule: Rule, project: Project) -> Iterator[tuple[Finding, str | None]]:
        common = {
            "project": project,
            "settings": self.settings,
            "environment": self.environment,
            "rule_ids": frozenset(self.registry.rules),
            "idle": {},
        }
        for about, path, dag_id in subjects_of(rule, project):
            for hit in rule.hits({**common, **about}):
                yield finding_of(rule, hit, path, dag_id), hit.subject

    def _filtered(self, project: Project, found: list[Finding]) -> Judgement:
        result = Judgement()
        comments = {f.path: suppressions(f.text) for f in _sources(project)}
        used: set[tuple[str, int, str]] = set()
        for finding in dict.fromkeys(found):
            comment = _hides(comments.get(finding.path, []), finding)
            if comment:
                used.add((finding.path, comment.line, finding.rule))
            elif self.settings.reason(finding.rule, finding.path) is None:
                result.findings.append(finding)
                continue
            result.hidden.append(finding)
        result.findings += self._idle(project, comments, used)
        result.findings.sort(key=lambda f: f.order)
        return result

    def _idle(
        self, project: Project, comments: dict[str, list[Suppression]], used: set[tuple[str, int, str]]
    ) -> Iterator[Finding]:
        """Ask the last rules, which need to know what the comments have hidden."""
        asked = {rule.id for rule in self.rules}
        idle: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for path, ones in comments.items():
            for one in ones:
                idle[path] += [(one.line, r) for r in one.rules if (path, one.line, r) not in used and r in asked]
        for rule in self.rules:
            if rule.id in _LAST:
                for file in _sources(project):
                    for hit in rule.hits({"file": file, "idle": idle}):
                        yield finding_of(rule, hit, file.path, None)


def _hides(comments: list[Suppression], finding: Finding) -> Suppression | None:
    if finding.rule.startswith(META):
        return None
    return next((c for c in comments if c.target == finding.line and finding.rule in c.rules and c.reason), None)


def _sources(project: Project) -> list[SourceFile]:
    return [*project.files.values(), *project.own_helpers]


def subjects_of(rule: Rule, project: Project) -> Iterator[tuple[dict[str, Any], str, str | None]]:
    """Yield everything that a rule is to be asked about: (values for its parameters, path, DAG id)."""
    match rule.scope:
        case "file":
            for source in _sources(project):
                yield {"file": source}, source.path, None
        case "project":
            yield {}, "", None
        case "outcome":
            for path, outcome in project.outcomes.items():
                yield {"outcome": outcome}, path, None
        case _:
            for dag, file in _dags(project):
                if rule.scope == "dag":
                    yield {"dag": dag, "file": file}, dag.path, dag.dag_id or None
                else:
                    for task in dag.tasks:
                        yield {"task": task, "dag": dag, "file": file}, dag.path, dag.dag_id or None


def _dags(project: Project) -> Iterator[tuple[Dag, SourceFile | None]]:
    for dag in project.dags:
        yield dag, project.files.get(dag.path)


def finding_of(rule: Rule, hit: Hit, path: str, dag_id: str | None) -> Finding:
    """Return a rule's hit as a finding."""
    return Finding(
        rule=rule.id,
        name=rule.name,
        family=rule.family,
        severity=hit.severity or rule.severity,
        path=hit.path or path,
        line=max(1, hit.line),
        column=max(1, hit.column),
        dag_id=hit.dag_id or dag_id,
        message=hit.message,
        hint=hit.hint,
    )


__all__ = ["Judge", "Judgement", "Loaded", "finding_of"]
