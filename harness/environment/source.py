"""Reads one YAML file into a tree that knows, of every key and value, where it is written.

It takes plain YAML 1.2: text keys, finite numbers, anchors and merge keys. What would construct objects, repeat a key,
or unfold into more than a person can have written is refused, with its place.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from harness.errors import ConfigError

MAX_BYTES = 256 * 1024
MAX_VALUES = 20_000
"""After aliases are unfolded; nine nested lists of nine aliases would be 387 million."""
MAX_DIGITS = 40
MAX_DEPTH = 100
"""Of brackets; the parser's time grows with the square of their depth."""

Scalar: TypeAlias = "str | int | float | bool | None"
Step: TypeAlias = "str | int"
KeyPath: TypeAlias = "tuple[Step, ...]"

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value is written.

    Args:
        file: the environment file.
        line: 1-based.
        column: 1-based.
        variables: variables of the process environment that went into the value.
    """

    file: Path
    line: int
    column: int
    variables: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{shown(self.file)}:{self.line}:{self.column}"

    def error(self, message: str, hint: str | None = None) -> ConfigError:
        """Make the error that points here."""
        return ConfigError(message, path=shown(self.file), line=self.line, column=self.column, hint=hint)


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a file: a scalar, a list or a mapping of further nodes.

    Args:
        value: what is written there.
        origin: where the value begins.
        key: where its key is; None for list items and for the whole file.
    """

    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    origin: Origin
    key: Origin | None = None

    @property
    def place(self) -> Origin:
        """Where a reader looks for it: at the key of a mapping and of nothing, at any other value itself."""
        by_key = self.value is None or isinstance(self.value, Mapping)
        return self.key if self.key is not None and by_key else self.origin

    def plain(self) -> Any:
        """Return the value as lists, dicts and scalars, without places."""
        if isinstance(self.value, Mapping):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        return self.value

    def child(self, step: Step) -> Node | None:
        """Return the node below this one, or None when there is none."""
        if isinstance(self.value, Mapping):
            return self.value.get(str(step))
        if isinstance(self.value, tuple) and isinstance(step, int) and step < len(self.value):
            return self.value[step]
        return None

    def walk(self, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
        """Yield this node and all below it, each with its path."""
        yield path, self
        if isinstance(self.value, Mapping):
            for key, node in self.value.items():
                yield from node.walk((*path, key))
        elif isinstance(self.value, tuple):
            for index, node in enumerate(self.value):
                yield from node.walk((*path, index))


def shown(path: Path) -> str:
    """Return the path as messages show it: relative to the working directory when it is below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def dotted(path: KeyPath) -> str:
    """Write a path as people do: `services.kafka.topics`, `databases[0]`, `conf["spark.sql.shuffle"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step and step.replace("_", "").replace("-", "").isalnum():
            text += f".{step}" if text else step
        else:
            escaped = step.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{escaped}"]'
    return text


def read(path: Path) -> Node:
    """Read one environment file.

    Raises:
        ConfigError: it cannot be read, is not YAML, or is not a mapping; with the place.
    """
    text = _text(path)
    _refuse_depth(text, path)
    try:
        top = _compose(text, path)
        node = _Reader(path).node(top, ()) if top is not None else None
    except RecursionError:
        raise Origin(path, 1, 1).error("nested too deeply") from None
    if node is None:
        raise Origin(path, 1, 1).error("the file is empty", "an environment needs at least 'stage:' or 'extends:'")
    if not isinstance(node.value, Mapping):
        raise node.origin.error(f"expected a mapping of keys, got {describe(node.value)}", "start with 'stage: dev'")
    return node


def describe(value: object) -> str:
    """Name a value in a message: its kind, and a short piece of it where that helps."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", path=shown(path)) from None
    if len(data) > MAX_BYTES:
        raise Origin(path, 1, 1).error(f"larger than {MAX_BYTES // 1024} KiB: this is not an environment file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1
        raise Origin(path, line, column).error(
            f"not a UTF-8 text file: byte 0x{data[error.start]:02x}", "save it as UTF-8"
        ) from None


def _refuse_depth(text: str, path: Path) -> None:
    """Refuse brackets in brackets in brackets; those in comments and quotes count too, which no honest file notices."""
    depth = 0
    for match in re.finditer(r"[\[\]{}]", text):
        depth = depth + 1 if match[0] in "[{" else max(depth - 1, 0)
        if depth > MAX_DEPTH:
            raise _place(text, match.start(), path).error("nested too deeply")


def _place(text: str, index: int, path: Path) -> Origin:
    return Origin(path, text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


def _compose(text: str, path: Path) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        with warnings.catch_warnings():
            # YAML allows an anchor's name to be used again; the later one counts
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            return YAML(typ="safe", pure=True).compose(text)
    except ReaderError as error:
        place, character = _place(text, error.position, path), text[error.position]
        raise place.error(f"not a text file: control character {character!r}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Origin(path, mark.line + 1, mark.column + 1) if mark else Origin(path, 1, 1)
        raise place.error(*_syntax(error)) from None
    except (YAMLError, ValueError, LookupError, AttributeError, TypeError, AssertionError) as error:
        # the parser answers some malformed input with bare Python errors (a bad escape, a bad directive)
        raise Origin(path, 1, 1).error(f"not valid YAML: {_one_line(error)}") from None


def _syntax(error: Any) -> tuple[str, str | None]:
    """Return message and hint for what the parser says."""
    problem = _one_line(error.problem or error.context or "cannot be understood")
    if "'\\t'" in problem:
        return "a tab, which YAML does not allow here", "indent with spaces"
    if "mapping values are not allowed" in problem:
        return "not valid YAML: a second ':' in one line", "quote text that contains ': ', and check the indentation"
    if "another document" in problem:
        return "a second YAML document begins here", "write one environment in each file"
    if "<block end>" in problem and error.context_mark:
        line = error.context_mark.line + 1
        return f"not valid YAML: does not belong to the block that begins on line {line}", "check the indentation"
    context = _one_line(error.context) if error.context and error.context_mark else ""
    since = f" {context} from line {error.context_mark.line + 1}" if context else ""
    return f"not valid YAML: {problem}{since}", None


def _one_line(words: object) -> str:
    return " ".join(str(words).split()) or "cannot be understood"


@dataclass
class _Reader:
    """Unfolds a composed document; counts values, and knows which aliases it is inside of."""

    file: Path
    count: int = 0
    inside: set[int] = field(default_factory=set)

    def origin(self, node: Any) -> Origin:
        return Origin(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def fail(self, node: Any, path: KeyPath, message: str, hint: str | None = None) -> NoReturn:
        where = f"{dotted(path)}: " if path else ""
        raise self.origin(node).error(where + message, hint)

    def node(self, node: Any, path: KeyPath) -> Node:
        self.count += 1
        if self.count > MAX_VALUES:
            self.fail(node, (), f"more than {MAX_VALUES} values after its aliases are unfolded")
        if id(node) in self.inside:
            self.fail(node, path, "an alias that contains itself")
        self.inside.add(id(node))
        try:
            return Node(self._value(node, path), self.origin(node))
        finally:
            self.inside.discard(id(node))

    def _value(self, node: Any, path: KeyPath) -> Scalar | tuple[Node, ...] | Mapping[str, Node]:
        tag = str(node.tag)
        if node.id == "mapping" and tag == f"{_TAG}map":
            return self._mapping(node, path)
        if node.id == "sequence" and tag == f"{_TAG}seq":
            return tuple(self.node(item, (*path, index)) for index, item in enumerate(node.value))
        if node.id == "scalar":
            return self._scalar(node, tag, path)
        self.fail(node, path, f"the tag {_short(tag)} is not supported", "write plain YAML")

    def _mapping(self, node: Any, path: KeyPath) -> Mapping[str, Node]:
        written: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            if str(key.tag) == f"{_TAG}merge":
                merged = {**self._merge_key(value, path), **merged}
                continue
            name = self._key(key, path)
            if name in written:
                first = written[name].key
                since = f"; the first is on line {first.line}" if first else ""
                self.fail(key, (*path, name), f"duplicate key{since}")
            written[name] = replace(self.node(value, (*path, name)), key=self.origin(key))
        return {**merged, **written}

    def _merge_key(self, value: Any, path: KeyPath) -> dict[str, Node]:
        """Return what `<<: *anchor` brings in; of several, the earlier wins (YAML merge key, yaml.org/type/merge)."""
        found = self.node(value, path)
        parts = found.value if isinstance(found.value, tuple) else (found,)
        merged: dict[str, Node] = {}
        for part in reversed(parts):
            if not isinstance(part.value, Mapping):
                self.fail(value, path, "'<<' takes a mapping")
            merged |= part.value
        return merged

    def _key(self, key: Any, path: KeyPath) -> str:
        if key.id != "scalar":
            self.fail(key, path, "a key must be text")
        if str(key.tag) not in (f"{_TAG}str", f"{_TAG}timestamp"):
            self.fail(key, path, f"a key must be text, got {key.value or 'nothing'}", "put it in quotes")
        return str(key.value)

    def _scalar(self, node: Any, tag: str, path: KeyPath) -> Scalar:
        text = str(node.value)
        if tag in (f"{_TAG}str", f"{_TAG}timestamp"):
            # a date stays text: the specification knows which values are dates
            return text
        if tag == f"{_TAG}null":
            return None
        if tag == f"{_TAG}bool":
            return text.lower() in ("true", "yes", "on")
        if tag not in (f"{_TAG}int", f"{_TAG}float"):
            self.fail(node, path, f"the tag {_short(tag)} is not supported", "write plain YAML")
        if len(text) > MAX_DIGITS:
            self.fail(node, path, f"a number of {len(text)} characters", "put it in quotes if it is text")
        try:
            number = _number(text, tag.endswith("int"))
        except ValueError:
            self.fail(node, path, f"{text!r} is not a number", "put it in quotes if it is text")
        if not math.isfinite(number):
            self.fail(node, path, f"{text} is not a finite number", "put it in quotes if it is text")
        return number


def _number(text: str, whole: bool) -> int | float:
    digits = text.replace("_", "").lower()
    if whole:
        based = digits.lstrip("+-")[:2] in ("0x", "0o", "0b")
        return int(digits, 0 if based else 10)
    return float(digits.replace(".inf", "inf").replace(".nan", "nan"))


def _short(tag: str) -> str:
    return tag.replace(_TAG, "!!")[:60]
