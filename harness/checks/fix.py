"""Repairs what is mechanical: for some findings the rule, or ruff, knows the text that is right.

Only files below the checked paths are changed, each at once and as a whole; one that does not parse, before or
afterwards, stays as it is.
"""

from __future__ import annotations

import ast
import difflib
import shutil
import tempfile
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.checks.air import CODES, air_changes, air_findings, unused_imports
from harness.checks.config import Settings
from harness.checks.engine import Judge, finding_of, hides, repeats
from harness.checks.model import Finding
from harness.checks.registry import registry_of
from harness.checks.run import Request, examine, module_name, nothing_in, project_root
from harness.checks.selection import resolved
from harness.checks.source.edits import Edit, Edits, apply, overlap
from harness.checks.source.file import SourceFile
from harness.checks.suppress import suppressions
from harness.checks.walk import find_files
from harness.errors import ConfigError
from harness.models.base import Frozen

PASSES = 50
"""Repairs that overlap wait for the next pass, and one may make the next possible."""


Kind = tuple[str, str, str]
Reader = Callable[[str], SourceFile]


class Fixed(Frozen):
    """One repair: the rule's id, the line before the repair, and what was written."""

    rule: str
    path: str
    line: int
    what: str


class Repaired(Frozen):
    """One file and what was repaired in it; its text has single characters as line ends."""

    path: str
    before: str
    after: str
    fixed: tuple[Fixed, ...]

    @property
    def diff(self) -> str:
        """The repairs as a unified diff."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        lines = difflib.unified_diff(before, after, self.path, self.path)
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def repair(request: Request, *, write: bool) -> list[Repaired]:
    """Repair the DAG files of a request and the modules that they use, and return those that had something to repair.

    Args:
        write: change the files, instead of only saying what would be changed.

    Raises:
        ConfigError: a path or a setting is wrong, or a file cannot be written.
        NothingChecked: there is no DAG file.
    """
    settings = request.settings or Settings.load(request.paths[0])
    registry = registry_of(settings.plugins, project_root(request.paths[0]))
    judge = Judge(registry, resolved(settings, registry))
    found = find_files(request.paths, project_root(request.paths[0]))
    if not found.files:
        raise nothing_in(request.paths)
    asks_ruff = any(map(judge.settings.selects, CODES))
    stale = {finding.path for finding in air_findings(found.files)} if asks_ruff else set()
    inside = [path.resolve() for path in request.paths]
    readers: dict[str, Reader] = {
        path: partial(_dag_file, path, module_name(path, found.roots)) for path in found.files
    }
    project = examine(replace(request, settings=judge.settings, load=False, cache=False, environment=None), judge)
    readers |= {helper.path: partial(_as, helper) for helper in project.own_helpers}
    done = []
    for path, reader in readers.items():
        target = Path(path).resolve()
        content = _read(target) if any(target.is_relative_to(place) for place in inside) else None
        if content is None:
            continue
        text, encoding, ends = content
        repaired = _Repairer(judge, path, reader, asks_ruff=path in stale).run(text)
        if repaired.fixed:
            done.append(repaired)
            if write:
                _write(target, repaired.after.replace("\n", ends).encode(encoding))
    return done


def _dag_file(path: str, module: str, text: str) -> SourceFile:
    return SourceFile(path, text, module)


def _as(helper: SourceFile, text: str) -> SourceFile:
    """Return another text of a module, which runs when the module does."""
    file = SourceFile(helper.path, text, helper.module, parsed=False)
    for moment in helper.code.top:
        file.reach.enter(moment)
    for function in helper.code.functions.values():
        if twin := file.code.by_name.get(function.name):
            for moment in function.moments:
                file.reach.mark(twin, moment)
    return file


class _Repairer:
    """Repairs the text of one file.

    Args:
        reader: makes a source file of a text.
        asks_ruff: ruff has found something in it.
    """

    def __init__(self, judge: Judge, path: str, reader: Reader, *, asks_ruff: bool) -> None:
        self.judge = judge
        self.path = path
        self.reader = reader
        self.asks_ruff = asks_ruff

    def run(self, text: str) -> Repaired:
        """Repair until there is nothing left that can be."""
        before, fixed = text, list[Finding]()
        possible = list(self._possible(text))
        futile: set[Kind] = set()
        for _ in range(PASSES):
            changed, made = _once(text, [item for item in possible if _kind(item[0]) not in futile])
            if not made:
                break
            later = list(self._possible(changed))
            was, still = (Counter(_kind(finding) for finding, _ in items) for items in (possible, later))
            if vain := {kind for kind in map(_kind, made) if still[kind] >= was[kind]}:
                futile |= vain
                continue
            text, possible = changed, later
            fixed += made
        if any(one.rule in CODES for one in fixed):
            text = self._without_idle_imports(before, text)
        said = (Fixed(rule=one.rule, path=self.path, line=one.line, what=_said(one)) for one in fixed)
        return Repaired(path=self.path, before=before, after=text, fixed=tuple(said))

    def _possible(self, text: str) -> Iterator[tuple[Finding, Edits]]:
        """Yield what counts as a finding and can be repaired."""
        comments = suppressions(text)
        settings = self.judge.settings
        for finding, edits in self._found(text):
            counts = settings.selects(finding.rule) and settings.reason(finding.rule, self.path) is None
            if edits and counts and not hides(comments, finding):
                yield finding, edits

    def _found(self, text: str) -> Iterator[tuple[Finding, Edits]]:
        file = self.reader(text)
        own = []
        for rule in self.judge.rules:
            if rule.scope == "file":
                for hit in self.judge.hits(rule, file=file):
                    finding = finding_of(rule, hit, self.path, None)
                    own.append((finding, hit.subject))
                    yield finding, hit.repair
        for finding, edits in air_changes(text, self.path) if self.asks_ruff else ():
            if not repeats(finding, own):
                yield finding, edits

    def _without_idle_imports(self, before: str, text: str) -> str:
        """Leave out the imports of which a repair has taken away the last use."""
        idle = {name for name, _ in unused_imports(before, self.path)}
        for name, edits in unused_imports(text, self.path):
            if name not in idle:
                return self._without_idle_imports(before, changed) if _parses(changed := apply(text, edits)) else text
        return text


def _once(text: str, possible: Sequence[tuple[Finding, Edits]]) -> tuple[str, list[Finding]]:
    """Make the repairs that do not touch each other, in the order of their lines."""
    chosen: dict[Edit, None] = {}
    made = []
    for finding, edits in sorted(possible, key=lambda item: item[0].order):
        more = {*chosen, *edits}
        if not set(edits) <= chosen.keys() and not overlap(edits, chosen) and _parses(apply(text, more)):
            chosen.update(dict.fromkeys(edits))
            made.append(finding)
    return apply(text, chosen), made


def _kind(finding: Finding) -> Kind:
    """Return what a repair must make less of, to be one."""
    return (finding.rule, finding.message, finding.hint)


def _said(finding: Finding) -> str:
    return finding.hint if finding.rule in CODES else f"{finding.message}: {finding.hint}"


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _read(path: Path) -> tuple[str, str, str] | None:
    """Return a file's text with single line ends, its encoding, and its own line ends; None when it stays as it is."""
    try:
        with path.open("rb") as stream:
            encoding, _ = tokenize.detect_encoding(stream.readline)
        text = path.read_bytes().decode(encoding)
    except (OSError, SyntaxError, UnicodeDecodeError, LookupError):
        return None
    windows = text.count("\r\n")
    mixed = windows not in (0, text.count("\n")) or text.count("\r") != windows
    plain = text.replace("\r\n", "\n")
    return None if mixed or not _parses(plain) else (plain, encoding, "\r\n" if windows else "\n")


def _write(target: Path, content: bytes) -> None:
    """Put another content in the place of a file's, at once; its permissions stay."""
    partial: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        partial = Path(name)
        with open(descriptor, "wb") as stream:  # noqa: PTH123 - it is open already
            stream.write(content)
        shutil.copymode(target, partial)
        partial.replace(target)
    except OSError as error:
        raise ConfigError(f"it cannot be repaired: {error}", path=target, hint="--diff shows what to change") from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
