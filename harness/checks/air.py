"""What ruff says about names that Airflow 3 has removed or moved, as findings: its AIR rules know every one of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.checks.model import Finding, Severity
from harness.checks.source.edits import Edit, Edits, Places
from harness.errors import ConfigError

FAMILY = "compatibility"
CODES: dict[str, tuple[str, Severity]] = {
    "AIR301": ("removed-name", "error"),
    "AIR302": ("moved-to-provider", "error"),
    "AIR303": ("changed-signature", "error"),
    "AIR311": ("will-be-removed", "warning"),
    "AIR312": ("will-move-to-provider", "warning"),
    "AIR321": ("moved-in-3-1", "warning"),
}
"""The codes that are asked for. AIR001 and AIR2xx are about style; AIR003 and AIR304 have better rules of our own."""

BATCH = 400
"""Files in one call: a command line has a limit, and two processes start faster than one reads a thousand names."""


def air_findings(paths: Sequence[str]) -> list[Finding]:
    """Return ruff's findings for these files.

    Raises:
        ConfigError: ruff is not installed, or cannot be run.
    """
    binary = find_ruff()
    found: list[Finding] = []
    for start in range(0, len(paths), BATCH):
        batch = list(paths[start : start + BATCH])
        found += [_finding(item, batch) for item in _run(binary, CODES, batch) if item.get("code") in CODES]
    return found


def air_changes(text: str, path: str) -> Iterator[tuple[Finding, Edits]]:
    """Yield ruff's findings in a text, each with the edits that repair it; empty where there are none.

    Moved imports are unsafe for ruff, since the module may be missing where the code runs: the check after a repair
    loads the file, and says so.
    """
    for item in _run(find_ruff(), CODES, stdin=text, name=path):
        if item.get("code") in CODES:
            yield _finding(item, [path]), _edits(item, text)


def unused_imports(text: str, path: str) -> Iterator[tuple[str, Edits]]:
    """Yield the imports that a text does not use, by ruff's words, each with the edits that leave it out."""
    for item in _run(find_ruff(), ["F401"], stdin=text, name=path):
        if edits := _edits(item, text):
            yield str(item["message"]), edits


def _edits(item: dict[str, Any], text: str) -> Edits:
    fix = item.get("fix") or {"edits": []}
    places = Places(text)

    def offset(place: dict[str, int]) -> int:
        return places.of_characters(place["row"], place["column"] - 1)

    return tuple(Edit(offset(e["location"]), offset(e["end_location"]), e["content"]) for e in fix["edits"])


def find_ruff() -> str:
    """Return the path of the ruff that is installed with the harness, or of the one on PATH."""
    beside = Path(sysconfig.get_path("scripts")) / f"ruff{sysconfig.get_config_var('EXE') or ''}"
    found = str(beside) if beside.is_file() else shutil.which("ruff", path=None)
    if found is None:
        raise ConfigError("ruff is not installed", hint=f"{sys.executable} -m pip install ruff, or --ignore AIR")
    return found


def _run(
    binary: str, codes: Iterable[str], paths: Sequence[str] = (), *, stdin: str | None = None, name: str = ""
) -> Iterator[dict[str, Any]]:
    """Ask ruff about files, or about a text that would stand in the file `name`."""
    command = [binary, "check", "--isolated", "--no-cache", "--quiet", "--exit-zero", "--preview"]
    command += ["--select", ",".join(codes), "--output-format", "json"]
    command += ["--", *paths] if stdin is None else ["--stdin-filename", name, "-"]
    done = subprocess.run(command, input=stdin, capture_output=True, encoding="utf-8", timeout=120, check=False)
    if done.returncode != 0:
        raise ConfigError(
            f"ruff cannot check the files: {done.stderr.strip()[-300:]}", hint="or leave it out: --ignore AIR"
        )
    yield from json.loads(done.stdout or "[]")


def _finding(item: dict[str, Any], paths: Sequence[str]) -> Finding:
    name, severity = CODES[item["code"]]
    message = str(item["message"])
    fix = (item.get("fix") or {}).get("message") or ""
    place = item["location"]
    return Finding(
        rule=item["code"],
        name=name,
        family=FAMILY,
        severity=severity,
        path=_named(item["filename"], paths),
        line=place["row"],
        column=place["column"],
        message=message,
        hint=fix,
    )


def _named(filename: str, paths: Sequence[str]) -> str:
    """Return the path as it was given: ruff makes it absolute."""
    absolute = Path(filename)
    return next((p for p in paths if Path(p) == absolute or Path(p).absolute() == absolute), filename)
