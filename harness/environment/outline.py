"""A resolved environment as text: YAML that can be read back, with the origin of each value as a comment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.environment.redact import redact
from harness.environment.source import KeyPath, Origin, dotted, shown

if TYPE_CHECKING:
    from harness.environment.load import Environment

# what YAML 1.2 reads as text without quotes, less the words that YAML 1.1 takes for truth values
_PLAIN = re.compile(r"(?!(?:true|false|null|yes|no|on|off|y|n)$)[A-Za-z_/][\w./-]*(?::[\w./-]+)*", re.IGNORECASE)


class Line(NamedTuple):
    """One line of the outline; `origin` is empty for a mapping's own line."""

    text: str
    origin: str


def outline(environment: Environment) -> Iterator[Line]:
    """Yield the lines of an environment, secrets redacted; defaults that say nothing are left out."""
    yield from _lines(resolved(environment), (), environment.origins)


def resolved(environment: Environment) -> dict[str, Any]:
    """Return what the environment says as plain data, secrets redacted; defaults that say nothing are left out."""
    data = environment.spec.model_dump(mode="json", by_alias=True)
    for name, service in data["services"].items():
        if service["role"] == name:
            del service["role"]
    shortened: dict[str, Any] = _cleaned(data, (), environment.origins)
    return shortened


def _cleaned(value: Any, path: KeyPath, origins: Mapping[str, Origin]) -> Any:
    if isinstance(value, dict):
        below = {key: _cleaned(item, (*path, key), origins) for key, item in value.items()}
        return {
            key: item for key, item in below.items() if item not in (None, {}, []) or dotted((*path, key)) in origins
        }
    if isinstance(value, list):
        return [_cleaned(item, (*path, index), origins) for index, item in enumerate(value)]
    return redact(value, path, origins.get(dotted(path)))


def _lines(value: Mapping[str, Any], path: KeyPath, origins: Mapping[str, Origin]) -> Iterator[Line]:
    for key, item in value.items():
        here = (*path, key)
        head = f"{'  ' * len(path)}{_scalar(key)}:"
        if isinstance(item, Mapping) and item:
            yield Line(head, "")
            yield from _lines(item, here, origins)
        else:
            yield Line(f"{head} {_inline(item)}", _said(origins.get(dotted(here))))


def _said(origin: Origin | None) -> str:
    if origin is None:
        return "default"
    filled = f" ({', '.join('$' + name for name in origin.variables)})" if origin.variables else ""
    return f"{shown(origin.file)}:{origin.line}{filled}"


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
