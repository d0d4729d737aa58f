"""Makes an environment out of its name: files read and merged, variables filled, everything checked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from harness.environment.merge import chain
from harness.environment.problems import Found, Problem, first_error, flatten, shape_problems
from harness.environment.references import reference_problems
from harness.environment.source import KeyPath, Node, Origin, dotted
from harness.environment.spec import EnvironmentSpec
from harness.environment.variables import as_written, fill
from harness.errors import PluginError

DEFAULT_FOLDER = Path("environments")
_SCALAR_TYPES = ("int_type", "float_type", "bool_type")


@dataclass(frozen=True)
class Environment:
    """One stage of a project, resolved.

    Args:
        name: of the file.
        spec: what it says.
        folder: where the files are.
        project: root of the project; its code is imported from there.
        parents: names of the environments that it extends, the nearest first.
        origins: dotted path of a value -> where it is written; defaults have none.
    """

    name: str
    spec: EnvironmentSpec
    folder: Path
    project: Path
    parents: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict, repr=False)

    @classmethod
    def load(
        cls,
        name: str,
        folder: Path | str = DEFAULT_FOLDER,
        project: Path | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> Environment:
        """Load an environment by its name.

        Args:
            name: of the file, without its suffix.
            folder: where the environment files are.
            project: root of the project; by default the folder's parent.
            environ: what `${VAR}` is filled from.

        Raises:
            ConfigError: the first thing that is wrong, with file, line and column.
        """
        folder = Path(folder)
        project = project or folder.resolve().parent
        found = chain(name, folder)
        tree = fill(found.tree, environ)
        spec = _validated(tree, found.files, project)
        problems = reference_problems(spec)
        if problems:
            raise first_error(problems, tree, found.files)
        origins = {dotted(path): node.place for path, node in tree.walk() if path}
        return cls(name, spec, folder, project, found.parents, origins)

    def services_key(self) -> str:
        """Return a digest of the resolved services alone: what else the file says changes no service."""
        services = {name: spec.model_dump(mode="json") for name, spec in self.spec.services.items()}
        return hashlib.sha256(json.dumps(services, sort_keys=True).encode()).hexdigest()


def _validated(tree: Node, files: tuple[Path, ...], project: Path) -> EnvironmentSpec:
    """Validate strictly; text that came from variables is read as a number where the specification wants one."""
    try:
        return _specified(tree, files, project)
    except ValidationError as error:
        filled = [found for found in flatten(error, EnvironmentSpec) if found.error["type"] in _SCALAR_TYPES]
    for found in filled:
        tree = _converted(tree, found)
    try:
        return _specified(tree, files, project)
    except ValidationError as error:
        raise first_error(shape_problems(error, tree, EnvironmentSpec), tree, files) from None


def _specified(tree: Node, files: tuple[Path, ...], project: Path) -> EnvironmentSpec:
    said = tree.plain()
    try:
        return EnvironmentSpec.model_validate(said, strict=True, context={"strict": True, "project": project})
    except PluginError as error:
        if error.module is None:
            raise
        path: KeyPath = ("plugins", said["plugins"].index(error.module))
        raise first_error([Problem(path, error.message, error.hint)], tree, files) from error


def _converted(tree: Node, found: Found) -> Node:
    def at(node: Node, path: KeyPath) -> Node:
        if not path:
            filled = bool(node.origin.variables) and isinstance(node.value, str)
            return replace(node, value=as_written(str(node.value))) if filled else node
        below = node.child(path[0])
        if below is None:
            return node
        changed = at(below, path[1:])
        if isinstance(node.value, Mapping):
            return replace(node, value={**node.value, str(path[0]): changed})
        assert isinstance(node.value, tuple)
        return replace(node, value=tuple(changed if i == path[0] else item for i, item in enumerate(node.value)))

    return at(tree, found.path)
