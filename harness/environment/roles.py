"""Which role has which specification: the built-in ones, and those that plugins add.

Plugins are looked at only when a role is not built in: reading the entry points of everything that is installed costs
more than reading an environment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.environment.service import HttpSpec, KafkaSpec, PostgresSpec, S3Spec, ServiceSpec, SmtpSpec, SparkSpec
from harness.environment.suggest import did_you_mean

BUILT_IN: Mapping[str, type[ServiceSpec]] = {
    "postgres": PostgresSpec,
    "s3": S3Spec,
    "kafka": KafkaSpec,
    "spark": SparkSpec,
    "http": HttpSpec,
    "smtp": SmtpSpec,
}


@dataclass(frozen=True)
class Role:
    """A role as an environment sees it.

    Args:
        name: what `role:` of the resolved service holds. For a plugin's role it is `module:Class` of the class that
            serves it, so that any process can find it without asking all plugins again.
        spec_type: what may stand in its block.
    """

    name: str
    spec_type: type[ServiceSpec]


class UnknownRole(ValueError):
    """No built-in role and no plugin has this name."""

    def __init__(self, name: str, hint: str | None) -> None:
        super().__init__(f"no role is called {name!r}")
        self.hint = hint


class Nested(ValueError):
    """The errors of several blocks that were validated each by its own model."""

    def __init__(self, errors: Sequence[BlockError]) -> None:
        super().__init__("; ".join(f"{one.name}: {one.error}" for one in errors))
        self.errors = tuple(errors)


@dataclass(frozen=True)
class BlockError:
    """What is wrong with one block; its model is None when no role was found for it."""

    name: str
    error: ValidationError | UnknownRole
    spec_type: type[ServiceSpec] | None = None


def role_specs(plugins: Sequence[str] = (), project: Path | None = None) -> dict[str, type[ServiceSpec]]:
    """Return every role that can be used, plugins included, with the specification of its block.

    Args:
        plugins: modules of the project that hold hooks, as `plugins:` names them.
        project: root that those modules are imported from.

    Raises:
        ConfigError: a plugin cannot be imported.
    """
    found = dict(BUILT_IN)
    for kind in _added(plugins, project):
        found.setdefault(kind.role, kind.spec_type)
    return found


def find_role(name: str, plugins: Sequence[str] = (), project: Path | None = None) -> Role:
    """Return the role of that name, or of that `module:Class`.

    Raises:
        UnknownRole: there is none.
        ConfigError: a plugin cannot be imported.
    """
    if name in BUILT_IN:
        return Role(name, BUILT_IN[name])
    if ":" in name:
        return _by_class(name, project)
    names = list(BUILT_IN)
    for kind in _added(plugins, project):
        if kind.role == name:
            return Role(f"{kind.__module__}:{kind.__qualname__}", kind.spec_type)
        names.append(kind.role)
    raise UnknownRole(name, did_you_mean(name, names, "roles are"))


def specify(blocks: Mapping[Any, Any], plugins: Sequence[str], context: Mapping[str, Any]) -> dict[Any, Any]:
    """Turn each block of `services` into its role's specification; a block's role is its name unless it says `role:`.

    Args:
        blocks: name to block; what is a specification already passes.
        plugins: see `role_specs`.
        context: of the validation: `project`, and `strict` for files, where "3" is not a number.

    Raises:
        Nested: with the errors of all blocks.
    """
    made: dict[Any, Any] = {}
    errors: list[BlockError] = []
    project, strict = context.get("project"), bool(context.get("strict"))
    for name, block in blocks.items():
        if not isinstance(block, Mapping):
            made[name] = block
            continue
        asked = block.get("role", name)
        try:
            role = find_role(str(asked), plugins, project)
        except UnknownRole as error:
            errors.append(BlockError(str(name), error))
            continue
        try:
            made[name] = role.spec_type.model_validate({**block, "role": role.name}, strict=strict)
        except ValidationError as error:
            errors.append(BlockError(str(name), error, role.spec_type))
    if errors:
        raise Nested(errors)
    return made


def _added(plugins: Sequence[str], project: Path | None) -> Iterator[Any]:
    """Yield the classes that plugins add: the project's own first, installed ones only when those do not suffice."""
    from harness.hookspecs import plugin_manager

    if plugins:
        yield from _classes(plugin_manager(plugins, project, installed=False))
    yield from _classes(plugin_manager())


def _classes(manager: Any) -> Iterator[Any]:
    for kinds in manager.hook.harness_roles():
        yield from kinds


def _by_class(name: str, project: Path | None) -> Role:
    from harness.hookspecs import importable

    module, _, attribute = name.partition(":")
    try:
        with importable(project):
            kind = getattr(import_module(module), attribute)
        return Role(name, kind.spec_type)
    except (ImportError, AttributeError) as error:
        raise UnknownRole(name, f"it cannot be imported: {error}") from error
