"""What a project's own settings say of its connections, variables and pools.

They are the Astro CLI's file, `.env`, and shell scripts that call `airflow connections add`, as Whirl's set-up does.
No password is kept, and nothing is run.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_LONGEST_SCRIPT = 200_000
_SETTING = re.compile(r"^[ \t]*(?:-[ \t]+|export[ \t]+|ENV[ \t]+)?[\"']?([A-Z][A-Z0-9_]+)[ \t]*[=:](.*)$", re.MULTILINE)
_FILLED_IN = re.compile(r"\$\{\w+(?::-([^}]*)|:\?[^}]*)?\}")
SKIPPED = frozenset((".venv", "venv", ".git", ".tox", "node_modules", ".harness", "__pycache__", "site-packages"))


@dataclass(frozen=True)
class Said:
    """One connection as the settings describe it; what they leave open is empty."""

    conn_type: str = ""
    host: str = ""
    schema: str = ""


@dataclass
class Settings:
    """What was said, by name; `environ` is what names of the process environment are set to, secrets left out."""

    connections: dict[str, Said] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    pools: dict[str, int] = field(default_factory=dict)


def read_settings(root: Path) -> Settings:
    """Read the settings of a project; where two places differ, the Astro CLI's file wins, then `.env`."""
    found = Settings()
    for path in sorted(below(root, ".sh")):
        if path.stat().st_size < _LONGEST_SCRIPT:
            _of_script(path.read_text(errors="replace"), found)
    for pattern in ("Dockerfile", "*compose*.y*ml", ".env.example", "*.env", ".env"):
        for path in sorted(root.glob(pattern)):
            _of_env(path.read_text(errors="replace"), found)
    _of_astro(root / "airflow_settings.yaml", found)
    return found


def below(root: Path, *suffixes: str) -> Iterator[Path]:
    """Yield the files with one of these endings below a folder, leaving out what is installed or hidden."""
    for path in root.rglob("*"):
        parts = path.relative_to(root).parts
        if path.suffix in suffixes and not SKIPPED.intersection(parts) and path.is_file():
            yield path


def _of_astro(path: Path, found: Settings) -> None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if not path.is_file():
        return
    try:
        said = (YAML(typ="safe").load(path) or {}).get("airflow") or {}
    except (YAMLError, AttributeError):
        return
    for one in _entries(said, "connections", "conn_id"):
        fields = (str(one.get(key) or "") for key in ("conn_type", "conn_host", "conn_schema"))
        uri = one.get("conn_uri")
        found.connections[one["conn_id"]] = of_uri(str(uri)) if uri else Said(*fields)
    for one in _entries(said, "variables", "variable_name"):
        found.variables[one["variable_name"]] = one.get("variable_value")
    for one in _entries(said, "pools", "pool_name"):
        found.pools[one["pool_name"]] = int(one.get("pool_slot") or 1)


def _entries(said: Mapping[str, Any], kind: str, key: str) -> Iterable[Mapping[str, Any]]:
    """Return the filled entries of a list; the Astro CLI starts with an empty one of each."""
    return [one for one in said.get(kind) or () if isinstance(one, dict) and one.get(key)]


def _of_env(text: str, found: Settings) -> None:
    """Read `NAME=value` as environment files have it, or `NAME: value` as a compose file has it."""
    for name, said in _SETTING.findall(text):
        value = said.strip().strip("'\"")
        # what a compose file takes from the shell has its default behind `:-`
        value = _FILLED_IN.sub(lambda match: match[1] or "", value)
        if name.startswith("AIRFLOW_CONN_"):
            found.connections[name.removeprefix("AIRFLOW_CONN_").lower()] = of_uri(value)
        elif name.startswith("AIRFLOW_VAR_"):
            found.variables[name.removeprefix("AIRFLOW_VAR_").lower()] = value
        elif value and not re.search("KEY|SECRET|PASS|TOKEN|USER", name):
            found.environ[name] = value


def _of_script(text: str, found: Settings) -> None:
    """Read `airflow connections add`, `variables set` and `pools set` of a shell script, as Whirl's set-up has them."""
    for line in text.replace("\\\n", " ").splitlines():
        if "airflow" not in line:
            continue
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        match words:
            case ["airflow", "connections", "add", *rest]:
                options = dict(pairwise(rest))
                name = next(
                    (word for before, word in zip(["", *rest], rest, strict=False) if _stands_alone(before, word)), ""
                )
                said = Said(*(options.get(f"--conn-{key}", "") for key in ("type", "host", "schema")))
                found.connections[name] = of_uri(options["--conn-uri"]) if "--conn-uri" in options else said
            case ["airflow", "variables", "set", name, value, *_] if "$" not in value:
                found.variables[name] = value
            case ["airflow", "pools", "set", name, slots, *_] if slots.isdigit():
                found.pools[name] = int(slots)
    found.connections.pop("", None)


def _stands_alone(before: str, word: str) -> bool:
    return not word.startswith("-") and not before.startswith("--")


def of_uri(text: str) -> Said:
    """Return what a connection's URI or JSON says of its type, host and schema."""
    if text.startswith("{"):
        try:
            fields = json.loads(text)
        except ValueError:
            return Said()
        return Said(*(str(fields.get(key) or "") for key in ("conn_type", "host", "schema")))
    match = re.match(r"^[a-zA-Z][\w+.-]*(?=://)", text)
    if not match:
        return Said()
    parts = urlsplit(re.sub(r"\$\{?\w*\}?", "x", text))
    conn_type = match[0].replace("-", "_").partition("+")[0]
    kind = {"postgresql": "postgres"}.get(conn_type, conn_type)
    return Said(kind, unquote(parts.hostname or ""), unquote(parts.path.lstrip("/")))
