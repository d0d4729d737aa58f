"""Options that several commands share, and the small languages they are written in."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.errors import ConfigError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

EnvironmentsDir = Annotated[
    Path, typer.Option("--environments", metavar="DIR", help="Folder that holds the environment files.")
]
DagsDir = Annotated[Path, typer.Option("--dags", metavar="DIR", help="Folder that holds the DAG files.")]
EnvOption = Annotated[str, typer.Option("--env", "-e", metavar="NAME", help="Environment to use.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout; all else goes to stderr.")]


def seconds(text: str) -> float:
    """Read a duration such as `90s`, `10m`, `1h30m` or `45` (seconds); raises ConfigError for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?", text)
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        raise ConfigError(f"{text!r} is not a duration", hint="write for example 90s, 10m or 1h30m")
    return sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)


def duration(value: float) -> str:
    """Write a number of seconds as people do: `0.4 s`, `12 s`, `3 min`, `2 h 5 min`."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    minutes = round(value / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def print_json(value: Any) -> None:
    """Print the one object of a `--json` call."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
