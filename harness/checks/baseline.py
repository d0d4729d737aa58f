"""Findings that an old project starts with: they are hidden until they are repaired, and none may be added."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness.checks.model import Finding
from harness.errors import ConfigError

SCHEMA = "harness.baseline/1"
Key = tuple[str, str, str]


def _key(finding: Finding) -> Key:
    """Return what a finding is known by: lines move, its words do not."""
    return (finding.rule, finding.path, finding.message)


def apply_baseline(file: Path, findings: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Return the findings that are new, and those that the file knows; the file loses what is no longer found.

    A file that does not exist is written with all findings.

    Raises:
        ConfigError: the file is no baseline.
    """
    known = _read(file) if file.exists() else Counter(_key(finding) for finding in findings)
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
    if still != known or not file.exists():
        _write(file, still)
    return new, old


def _read(file: Path) -> Counter[Key]:
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
