"""Findings that an old project starts with: they are hidden until they are repaired, and none may be added."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.checks.model import Finding
from harness.errors import ConfigError

SCHEMA = "harness.baseline/1"
Key = tuple[str, str, str]
Looked = Callable[[str, str], bool]
"""Takes a rule's id and a path, and says whether this check would have found that rule broken there."""


def _key(finding: Finding) -> Key:
    """Return what a finding is known by: lines move, its words do not."""
    return (finding.rule, finding.path, finding.message)


def start_baseline(file: Path, findings: Sequence[Finding]) -> None:
    """Write a new file that knows all findings.

    Raises:
        ConfigError: there is one already: it can only shrink.
    """
    if file.exists():
        raise ConfigError("there is a baseline already, and it can only shrink", path=file, hint="remove it first")
    _write(file, Counter(_key(finding) for finding in findings))


def apply_baseline(
    file: Path, findings: Sequence[Finding], looked: Looked = lambda rule, path: True
) -> tuple[list[Finding], list[Finding]]:
    """Return the findings that are new, and those that the file knows; the file loses what is no longer found.

    Args:
        looked: what this check has not looked for, the file keeps.

    Raises:
        ConfigError: the file is no baseline, or is not there: everything would be new, or nothing.
    """
    known = _read(file)
    left = known.copy()
    new: list[Finding] = []
    old: list[Finding] = []
    for finding in findings:
        if left[_key(finding)] > 0:
            left[_key(finding)] -= 1
            old.append(finding)
        else:
            new.append(finding)
    still = Counter(_key(finding) for finding in old)
    still += Counter({key: number for key, number in left.items() if not looked(key[0], key[1])})
    if still != known:
        _write(file, still)
    return new, old


def _read(file: Path) -> Counter[Key]:
    if not file.exists():
        raise ConfigError("there is no such baseline", path=file, hint="--start-baseline writes it")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        rows = {SCHEMA: content["findings"]}[content["schema"]]
        return Counter({(e["rule"], e["path"], e["message"]): int(e["count"]) for e in rows})
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError("this is no baseline of findings", path=file, hint="remove it to start a new one") from error


def _write(file: Path, known: Counter[Key]) -> None:
    rows = [
        {"rule": rule, "path": path, "message": message, "count": count}
        for (rule, path, message), count in sorted(known.items())
        if count
    ]
    file.write_text(json.dumps({"schema": SCHEMA, "findings": rows}, indent=1) + "\n", encoding="utf-8")
