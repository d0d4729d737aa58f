"""Fills `${VAR}` and `${VAR:-default}` from the process environment; `$$` stands for a dollar sign."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from harness.environment.source import KeyPath, Node, Scalar, dotted

# Compose's rules (docs.docker.com/reference/compose-file/interpolation) without its rarer operators: an empty variable
# takes the default too, and a dollar sign before anything else stands for itself.
_PLACEHOLDER = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}|(?P<broken>\{))")


def fill(node: Node, environ: Mapping[str, str], path: KeyPath = ()) -> Node:
    """Return the tree with all variables filled in; a filled value is text until the specification wants otherwise.

    Raises:
        ConfigError: a variable is not set and has no default, or is written wrongly.
    """
    if isinstance(node.value, Mapping):
        return replace(node, value={key: fill(below, environ, (*path, key)) for key, below in node.value.items()})
    if isinstance(node.value, tuple):
        return replace(node, value=tuple(fill(item, environ, (*path, i)) for i, item in enumerate(node.value)))
    if isinstance(node.value, str) and "$" in node.value:
        return _filled(node, node.value, environ, path)
    return node


def _filled(node: Node, text: str, environ: Mapping[str, str], path: KeyPath) -> Node:
    used: list[str] = []

    def one(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        if match["broken"]:
            raise node.origin.error(
                f"{dotted(path)}: '${{' does not begin a variable", "write ${NAME} or ${NAME:-default}, and $$ for '$'"
            )
        name, default = match["name"], match["default"]
        used.append(name)
        if default is not None:
            return environ.get(name) or default
        if name not in environ:
            raise node.origin.error(
                f"{dotted(path)}: the variable {name} is not set", f"set it, or write ${{{name}:-default}}"
            )
        return environ[name]

    filled = _PLACEHOLDER.sub(one, text)
    return replace(node, value=filled, origin=replace(node.origin, variables=tuple(dict.fromkeys(used))))


def as_written(text: str) -> Scalar:
    """Read a filled value as a number or truth value, as it would be read in the file; text when it is neither."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text
