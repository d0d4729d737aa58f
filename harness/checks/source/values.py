"""What an expression is worth when the file is read: constants, f-strings with holes, dicts with unpacking, durations.

Nothing is executed. What cannot be seen is `UNKNOWN`; an unseen part of a string is the character `HOLE`.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from harness.checks.source.names import MAX_DEPTH, Names, current, resolve

HOLE: Final = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands for a part of a string that is not known when the file is read."""


class Unknown:
    """The value of an expression that cannot be seen."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        return False


UNKNOWN: Final = Unknown()

OPEN: Final = "**"
"""Key in an evaluated dict that also has entries nobody can see."""


@dataclass(frozen=True, slots=True)
class Made:
    """The result of a call that is not evaluated further: what was called, and the call itself."""

    name: str
    node: ast.Call


def known(value: Any) -> bool:
    """Say whether a value was seen completely: no `UNKNOWN`, no hole in a string."""
    match value:
        case Unknown() | Made():
            return False
        case str():
            return HOLE not in value
        case dict():
            return OPEN not in value and all(known(v) for v in value.values())
        case list() | tuple():
            return all(known(v) for v in value)
    return True


class Evaluator:
    """Evaluates expressions of one file, as far as its text goes."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._seen: dict[ast.expr, Any] = {}

    def value(self, node: ast.expr | None, depth: int = 0) -> Any:
        """Return the value of an expression: a Python object, `Made`, or `UNKNOWN`."""
        if node is None or depth > MAX_DEPTH:
            return UNKNOWN
        if node not in self._seen:
            self._seen[node] = self._evaluate(node, depth)
        return self._seen[node]

    def entries(self, node: ast.expr | None, depth: int = 0) -> dict[str, ast.expr] | None:
        """Return the entries of a dict expression as expressions; None when it is no dict that can be seen.

        An entry `OPEN` says that there are more of them than can be seen.
        """
        if depth > MAX_DEPTH:
            return None
        match node:
            case ast.Dict(keys=keys, values=values):
                result: dict[str, ast.expr] = {}
                for key, value in zip(keys, values, strict=True):
                    name = self.text(key) if key else None
                    inner = {name: value} if name else self.entries(value, depth + 1) if key is None else None
                    result.update(inner if inner is not None else {OPEN: value})
                return result
            case ast.Call(func=ast.Name(id="dict"), args=args):
                bases = [self.entries(argument, depth + 1) for argument in args]
                merged = {k: v for base in bases for k, v in (base if base is not None else {OPEN: node}).items()}
                return {**merged, **self.keywords(node, depth + 1)}
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                parts = self.entries(left, depth + 1), self.entries(right, depth + 1)
                return None if None in parts else {**(parts[0] or {}), **(parts[1] or {})}
            case ast.Name():
                source = self.source(node)
                return self.entries(source, depth + 1) if source is not node else None
        return None

    def keywords(self, call: ast.Call, depth: int = 0) -> dict[str, ast.expr]:
        """Return the keyword arguments of a call with `**common` unpacked, `OPEN` among them when that is unseen."""
        result: dict[str, ast.expr] = {}
        for keyword in call.keywords:
            if keyword.arg:
                result[keyword.arg] = keyword.value
            else:
                inner = self.entries(keyword.value, depth + 1)
                result.update(inner if inner is not None else {OPEN: keyword.value})
        return result

    def source(self, node: ast.expr, depth: int = 0) -> ast.expr:
        """Return the expression that a name stands for; anything else as it is."""
        if isinstance(node, ast.Name) and depth < MAX_DEPTH:
            scope = self.names.scopes[node]
            if found := scope.find(node.id):
                binding = current(found[1], node, same=found[0] is scope)
                if binding and binding.kind == "value" and binding.value is not None:
                    return self.source(binding.value, depth + 1)
        return node

    def text(self, node: ast.expr | None) -> str | None:
        """Return the value when it is a string without holes."""
        value = self.value(node)
        return value if isinstance(value, str) and HOLE not in value else None

    def _evaluate(self, node: ast.expr, depth: int) -> Any:
        handler = _HANDLERS.get(type(node))
        return handler(self, node, depth + 1) if handler else UNKNOWN

    def _constant(self, node: ast.Constant, depth: int) -> Any:
        return node.value

    def _name(self, node: ast.Name, depth: int) -> Any:
        scope = self.names.scopes[node]
        if found := scope.find(node.id):
            binding = current(found[1], node, same=found[0] is scope)
            if binding and binding.kind == "value":
                return self.value(binding.value, depth)
        return UNKNOWN

    def _attribute(self, node: ast.Attribute, depth: int) -> Any:
        name = resolve(node, self.names.scopes[node]) or ""
        parts = name.split(".")
        if len(parts) > 1 and parts[-2] in _ENUMS and parts[-1].isupper():
            return parts[-1].lower()
        if name in ("datetime.timezone.utc", "datetime.UTC", "pendulum.UTC"):
            return UTC
        return UNKNOWN

    def _joined(self, node: ast.JoinedStr, depth: int) -> Any:
        return "".join(self._piece(part, depth) for part in node.values)

    def _piece(self, node: ast.expr, depth: int) -> str:
        value = self.value(node.value if isinstance(node, ast.FormattedValue) else node, depth)
        plain = isinstance(value, str | int | float) and not getattr(node, "format_spec", None)
        return str(value) if plain else HOLE

    def _binary(self, node: ast.BinOp, depth: int) -> Any:
        left, right = self.value(node.left, depth), self.value(node.right, depth)
        match node.op:
            case ast.Add() | ast.Sub() | ast.Mult() | ast.FloorDiv():
                return _arithmetic(node.op, left, right)
            case ast.Mod() if isinstance(left, str):
                return _percent(left, right)
            case ast.Div() if isinstance(left, str) or isinstance(right, str):
                return f"{_or_hole(left).rstrip('/')}/{_or_hole(right)}"
            case ast.BitOr() if isinstance(left, dict) and isinstance(right, dict):
                return {**left, **right}
        return UNKNOWN

    def _dict(self, node: ast.Dict, depth: int) -> Any:
        result: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            worth = self.value(value, depth)
            if key is None:
                result.update(worth if isinstance(worth, dict) else {OPEN: True})
                continue
            name = self.value(key, depth)
            if known(name) and isinstance(name, str | int | float | bool | None):
                result[name] = worth
            else:
                result[OPEN] = True
        return result

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set, depth: int) -> Any:
        values = [UNKNOWN if isinstance(e, ast.Starred) else self.value(e, depth) for e in node.elts]
        return tuple(values) if isinstance(node, ast.Tuple) else values

    def _unary(self, node: ast.UnaryOp, depth: int) -> Any:
        value = self.value(node.operand, depth)
        if isinstance(node.op, ast.USub) and isinstance(value, int | float | timedelta):
            return -value
        return not value if isinstance(node.op, ast.Not) and known(value) else UNKNOWN

    def _choice(self, node: ast.IfExp, depth: int) -> Any:
        yes, no = self.value(node.body, depth), self.value(node.orelse, depth)
        return yes if known(yes) and yes == no else UNKNOWN

    def _subscript(self, node: ast.Subscript, depth: int) -> Any:
        base, key = self.value(node.value, depth), self.value(node.slice, depth)
        try:
            return base[key] if isinstance(base, dict | list | tuple | str) and known(key) else UNKNOWN
        except (KeyError, IndexError, TypeError):
            return UNKNOWN

    def _call(self, node: ast.Call, depth: int) -> Any:
        name = resolve(node.func, self.names.scopes[node])
        if isinstance(node.func, ast.Attribute) and (name is None or name.startswith("str")):
            return self._method(node, node.func, depth)
        if name is None:
            return self._method(node, node.func, depth) if isinstance(node.func, ast.Attribute) else UNKNOWN
        if name == "dict":
            return self._dict_call(node, depth)
        maker = _MAKERS.get(name)
        if maker is None:
            worth = self._method(node, node.func, depth) if isinstance(node.func, ast.Attribute) else UNKNOWN
            return worth if worth is not UNKNOWN else Made(name, node)
        positional = [self.value(argument, depth) for argument in node.args]
        keywords = {name: self.value(given, depth) for name, given in self.keywords(node, depth).items()}
        if OPEN in keywords or not all(known(v) for v in [*positional, *keywords.values()]):
            return Made(name, node)
        try:
            return maker(*positional, **keywords)
        except (TypeError, ValueError, OverflowError, ZoneInfoNotFoundError):
            return Made(name, node)

    def _dict_call(self, node: ast.Call, depth: int) -> Any:
        result: dict[Any, Any] = {}
        for argument in node.args:
            worth = self.value(argument, depth)
            result.update(worth if isinstance(worth, dict) else {OPEN: True})
        for keyword in node.keywords:
            worth = self.value(keyword.value, depth)
            if keyword.arg:
                result[keyword.arg] = worth
            else:
                result.update(worth if isinstance(worth, dict) else {OPEN: True})
        return result

    def _method(self, node: ast.Call, func: ast.Attribute, depth: int) -> Any:
        """Evaluate the string methods that people build SQL, paths and commands with."""
        base = self.value(func.value, depth)
        if not isinstance(base, str):
            return UNKNOWN
        match func.attr:
            case "strip" | "lower" | "upper" | "lstrip" | "rstrip" if not node.args:
                return getattr(base, func.attr)()
            case "format":
                return _formatted(base, node, lambda n: self.value(n, depth))
            case "join" if node.args:
                parts = self.value(node.args[0], depth)
                return base.join(_or_hole(p) for p in parts) if isinstance(parts, list | tuple) else HOLE
            case "replace" | "removesuffix" | "removeprefix":
                return HOLE
        return UNKNOWN


def _or_hole(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) else HOLE


def _arithmetic(operator: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(operator, ast.Add) and (isinstance(left, str) or isinstance(right, str)):
        return _or_hole(left) + _or_hole(right)
    if not (known(left) and known(right)):
        return UNKNOWN
    try:
        match operator:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right if not isinstance(left, str | list) else UNKNOWN
            case _:
                return left // right
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return UNKNOWN


def _percent(text: str, arguments: Any) -> str:
    try:
        return text % arguments if known(arguments) else _punched(text)
    except (TypeError, ValueError, KeyError):
        return _punched(text)


def _punched(text: str) -> str:
    for directive in ("%s", "%d", "%r", "%f"):
        text = text.replace(directive, HOLE)
    return text


def _formatted(text: str, node: ast.Call, value: Callable[[ast.expr], Any]) -> str:
    class Holes(dict[str, Any]):
        def __missing__(self, key: str) -> str:
            return HOLE

    positional = [_or_hole(value(argument)) for argument in node.args]
    keywords = Holes({k.arg: _or_hole(value(k.value)) for k in node.keywords if k.arg})
    try:
        return text.format_map(keywords) if not positional else text.format(*positional, **keywords)
    except (IndexError, KeyError, ValueError, AttributeError):
        return HOLE


def _moment(*args: int, tzinfo: Any = None, tz: Any = None, **kwargs: int) -> datetime:
    zone = tzinfo if tzinfo is not None else tz
    return datetime(*args, **kwargs, tzinfo=ZoneInfo(zone) if isinstance(zone, str) else zone)  # type: ignore[misc,arg-type]


def _pendulum(*args: int, tz: Any = "UTC", **kwargs: int) -> datetime:
    return _moment(*args, tz=tz, **kwargs)


def _duration(**kwargs: float) -> timedelta:
    months = kwargs.pop("months", 0) * 30 + kwargs.pop("years", 0) * 365
    return timedelta(**kwargs) + timedelta(days=months)


def _path(*parts: str) -> str:
    return "/".join(parts)


_ENUMS = frozenset(("TriggerRule", "WeightRule"))

_MAKERS: dict[str, Callable[..., Any]] = {
    "datetime.timedelta": timedelta,
    "datetime.datetime": _moment,
    "datetime.date": date,
    "datetime.timezone": timezone,
    "datetime.time": lambda *a, **k: UNKNOWN,
    "pendulum.datetime": _pendulum,
    "pendulum.timezone": ZoneInfo,
    "pendulum.tz.timezone": ZoneInfo,
    "pendulum.duration": _duration,
    "zoneinfo.ZoneInfo": ZoneInfo,
    "dateutil.relativedelta.relativedelta": _duration,
    "textwrap.dedent": textwrap.dedent,
    "inspect.cleandoc": lambda text: text,
    "pathlib.Path": _path,
    "pathlib.PurePosixPath": _path,
    "os.path.join": _path,
    "str": str,
    "int": int,
    "list": list,
    "tuple": tuple,
    "sorted": sorted,
}

_HANDLERS: dict[type[ast.expr], Callable[[Evaluator, Any, int], Any]] = {
    ast.Constant: Evaluator._constant,
    ast.Name: Evaluator._name,
    ast.Attribute: Evaluator._attribute,
    ast.JoinedStr: Evaluator._joined,
    ast.BinOp: Evaluator._binary,
    ast.Dict: Evaluator._dict,
    ast.List: Evaluator._sequence,
    ast.Tuple: Evaluator._sequence,
    ast.Set: Evaluator._sequence,
    ast.UnaryOp: Evaluator._unary,
    ast.IfExp: Evaluator._choice,
    ast.Subscript: Evaluator._subscript,
    ast.Call: Evaluator._call,
}
