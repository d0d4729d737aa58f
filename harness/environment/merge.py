"""Finds environment files by name, follows `extends`, and merges parents and child into one tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.environment.source import Node, Origin, describe, read, shown
from harness.environment.suggest import did_you_mean
from harness.errors import ConfigError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Chain:
    """An environment and its ancestors, merged.

    Args:
        tree: the values, each with its own place; `extends` is gone.
        files: the child first, then parent after parent.
    """

    tree: Node
    files: tuple[Path, ...]

    @property
    def parents(self) -> tuple[str, ...]:
        return tuple(file.stem for file in self.files[1:])


def environment_files(folder: Path) -> dict[str, Path]:
    """Return the environment files of a folder by their names, sorted.

    Raises:
        ConfigError: the folder is missing, or one name has two files.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"no folder of environments at {shown(folder)}", hint="name it with --environments, or run 'harness init'"
        )
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in files:
            raise ConfigError(f"environment {path.stem!r} is also in {files[path.stem].name}", path=shown(path))
        files[path.stem] = path
    return files


def chain(name: str, folder: Path) -> Chain:
    """Read an environment and all that it extends.

    Raises:
        ConfigError: a file is missing or malformed, or `extends` runs in a circle.
    """
    files = environment_files(folder)
    if name not in files:
        raise ConfigError(f"no environment {name!r} in {shown(folder)}", hint=_names_hint(name, files))
    trees: list[Node] = []
    line: list[str] = []
    current: str | None = name
    while current is not None:
        tree, parent = _split(read(files[current]))
        trees.append(tree)
        line.append(current)
        current = None if parent is None else _checked_parent(parent, line, files)
    merged = trees[-1]
    for child in reversed(trees[:-1]):
        merged = merge(merged, child)
    return Chain(merged, tuple(files[one] for one in line))


def merge(parent: Node, child: Node) -> Node:
    """Lay a child over its parent: mappings are merged, anything else is replaced, null removes what the parent says.

    A null where the parent says nothing is an ordinary value.
    """
    if not isinstance(parent.value, Mapping) or not isinstance(child.value, Mapping):
        return child
    merged = dict(parent.value)
    for key, node in child.value.items():
        if key not in merged:
            merged[key] = node
        elif node.value is None:
            del merged[key]
        else:
            merged[key] = merge(merged[key], node)
    return replace(child, value=merged)


def _split(tree: Node) -> tuple[Node, Node | None]:
    """Take `extends` out of a file's tree."""
    assert isinstance(tree.value, Mapping)
    rest = {key: node for key, node in tree.value.items() if key != "extends"}
    return replace(tree, value=rest), tree.value.get("extends")


def _checked_parent(node: Node, line: list[str], files: Mapping[str, Path]) -> str:
    place: Origin = node.origin
    name = node.value
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise place.error(
            f"extends: expected the name of one environment, got {describe(name)}", "write 'extends: base'"
        )
    if name in line:
        raise place.error(f"extends: runs in a circle: {' -> '.join([*line, name])}")
    if name not in files:
        raise place.error(f"extends: no environment {name!r}", _names_hint(name, files))
    return name


def _names_hint(name: str, files: Mapping[str, Path]) -> str:
    near = did_you_mean(name, files)
    there = f"there are: {', '.join(files)}" if files else "there is none yet"
    return f"{near} ({there})" if near else there
