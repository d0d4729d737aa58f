"""Says what is wrong with an environment in the user's words, at the place where it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from harness.environment.redact import is_secret
from harness.environment.roles import Nested
from harness.environment.service import SHAPES
from harness.environment.source import KeyPath, Node, Origin, describe, dotted
from harness.environment.suggest import did_you_mean
from harness.errors import ConfigError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Args:
        path: of the value, or of the key that should not be there.
        message: what is wrong with it.
        hint: what to write instead.
        at_key: the key is what is wrong, not its value.
    """

    path: KeyPath
    message: str
    hint: str | None = None
    at_key: bool = False


def first_error(problems: Sequence[Problem], tree: Node, files: Sequence[Path]) -> ConfigError:
    """Return the first of several problems as an error: the child's file before its parents', then from the top."""

    def order(problem: Problem) -> tuple[int, int, int]:
        place = locate(problem, tree)
        return files.index(place.file), place.line, place.column

    first = min(problems, key=order)
    where = f"{dotted(first.path)}: " if first.path else ""
    return locate(first, tree).error(where + first.message, first.hint)


def locate(problem: Problem, tree: Node) -> Origin:
    """Return the place of a problem: of its value if that is short, of the key for mappings, of the nearest parent."""
    node, depth = tree, 0
    for step in problem.path:
        below = node.child(step)
        if below is None:
            break
        node, depth = below, depth + 1
    exact = depth == len(problem.path)
    return node.key if node.key is not None and (problem.at_key or not exact) else node.place


def shape_problems(error: ValidationError, tree: Node, root: type[BaseModel]) -> list[Problem]:
    """Translate what pydantic found.

    Args:
        error: of the whole environment.
        tree: what was validated.
        root: the model that it was validated against.
    """
    return [_problem(found, tree) for found in flatten(error, root)]


@dataclass(frozen=True)
class Found:
    """One error of pydantic's.

    Args:
        path: from the top of the environment; a key that is wrong is followed by `[key]`.
        error: pydantic's words.
        model: whose validation found it.
        depth: steps of `path` above that model.
    """

    path: tuple[Any, ...]
    error: Mapping[str, Any]
    model: type[BaseModel]
    depth: int = 0


def flatten(error: ValidationError, model: type[BaseModel], above: tuple[Any, ...] = ()) -> Iterator[Found]:
    """Yield everything that is wrong, inside of services too."""
    for one in error.errors(include_url=False):
        path = (*above, *one["loc"])
        cause = one.get("ctx", {}).get("error")
        if not isinstance(cause, Nested):
            yield Found(path, dict(one), model, len(above))
            continue
        for block in cause.errors:
            if isinstance(block.error, ValidationError) and block.spec_type is not None:
                yield from flatten(block.error, block.spec_type, (*path, block.name))
            else:
                words = {"type": "unknown_role", "msg": str(block.error), "ctx": {"error": block.error}}
                yield Found((*path, block.name), words, model)


def _problem(found: Found, tree: Node) -> Problem:
    at_key = "[key]" in found.path
    path: KeyPath = tuple(step for step in found.path if step != "[key]")
    kind, context, said = found.error["type"], found.error.get("ctx", {}), found.error["msg"]
    node = _at(tree, path)
    if kind == "extra_forbidden":
        known = fields_at(found.model, path[found.depth : -1])
        return Problem(path, "unknown key", did_you_mean(str(path[-1]), known, "known keys"), at_key=True)
    if kind == "unknown_role":
        explicit = _at(tree, (*path, "role")) is not None
        return Problem((*path, "role") if explicit else path, said, context["error"].hint, at_key=not explicit)
    if kind == "missing":
        hint = "set it here, or use an environment that extends this one" if path == ("stage",) else None
        return Problem(path, "required, and missing", hint)
    given = str(path[-1]) if at_key else (node.plain() if node else found.error.get("input"))
    message = _words(kind, context, said, _spoken(given, path, node))
    return Problem(path, message, _hint(kind, context, given), at_key)


_MAPPINGS = ("model_type", "dict_type", "model_attributes_type", "mapping_type")
_EXPECTED: Mapping[str, str] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    **dict.fromkeys(_MAPPINGS, "a mapping"),
}
_LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": ("must be at least", "ge"),
    "less_than_equal": ("must be at most", "le"),
    "greater_than": ("must be more than", "gt"),
    "less_than": ("must be less than", "lt"),
}


def _words(kind: str, context: Mapping[str, Any], otherwise: str, given: str) -> str:
    """Return what is wrong with a value that is there."""
    message = otherwise[:1].lower() + otherwise[1:]
    if kind in _EXPECTED:
        message = f"expected {_EXPECTED[kind]}, got {given}"
    elif kind in _LIMITS:
        words, limit = _LIMITS[kind]
        message = f"{words} {_plainly(context[limit])}, got {given}"
    elif kind == "literal_error":
        message = f"expected {context['expected']}, got {given}"
    elif kind == "string_pattern_mismatch":
        message = f"{given} is not {SHAPES.get(context['pattern'], context['pattern'])}"
    elif kind in ("string_too_short", "too_short"):
        message = "must not be empty"
    elif kind == "value_error":
        message = str(context.get("error", otherwise))
    return message


def _hint(kind: str, context: Mapping[str, Any], given: object) -> str | None:
    if kind == "string_type" and isinstance(given, (int, float)):
        return "put it in quotes"
    if kind == "literal_error" and isinstance(given, str):
        return did_you_mean(given, str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", "))
    return "write {} for the defaults" if kind in _MAPPINGS and given is None else None


def _plainly(limit: object) -> str:
    return f"{limit:g}" if isinstance(limit, float) else str(limit)


def _spoken(given: object, path: KeyPath, node: Node | None) -> str:
    """Name the value in a message; never a secret, nor anything that came from the process environment."""
    if node is not None and node.origin.variables:
        return f"the value of {' and '.join('$' + name for name in node.origin.variables)}"
    if any(is_secret(step) for step in path if isinstance(step, str)) and isinstance(given, (str, int, float)):
        return "another value"
    return describe(given)


def _at(tree: Node, path: KeyPath) -> Node | None:
    node: Node | None = tree
    for step in path:
        node = node.child(step) if node is not None else None
    return node


def fields_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys that the mapping at `path` below `model` may have, as they are written."""
    depth = 0
    for step in path:
        if depth:
            depth -= 1
            continue
        field = next((f for name, f in model.model_fields.items() if (f.alias or name) == step), None)
        if field is None:
            return []
        depth = _levels(field.annotation)
        models = list(_models(field.annotation))
        if not models:
            return []
        model = models[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _levels(annotation: Any) -> int:
    """Count the mappings and lists around what the annotation is about."""
    inner = [_levels(part) for part in get_args(annotation)]
    return max(inner, default=0) + (get_origin(annotation) in (dict, list))
