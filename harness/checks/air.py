"""What ruff says about names that Airflow 3 has removed or moved, as findings: its AIR rules know every one of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.checks.model import Finding, Severity
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
        found += [_finding(item, batch) for item in _run(binary, batch)]
    return found


def find_ruff() -> str:
    """Return the path of the ruff that is installed with the harness, or of the one on PATH."""
    beside = Path(sysconfig.get_path("scripts")) / f"ruff{sysconfig.get_config_var('EXE') or ''}"
    found = str(beside) if beside.is_file() else shutil.which("ruff", path=None)
    if found is None:
        raise ConfigError("ruff is not installed", hint=f"{sys.executable} -m pip install ruff, or --ignore AIR")
    return found


def _run(binary: str, paths: Sequence[str]) -> Iterator[dict[str, Any]]:
    command = [binary, "check", "--isolated", "--no-cache", "--quiet", "--exit-zero", "--preview"]
    command += ["--select", ",".join(CODES), "--output-format", "json", "--", *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise ConfigError(
            f"ruff cannot check the files: {done.stderr.strip()[-300:]}", hint="or leave it out: --ignore AIR"
        )
    yield from (item for item in json.loads(done.stdout or "[]") if item.get("code") in CODES)


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
