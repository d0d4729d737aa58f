"""Every hook that a plugin may implement; each docstring says when it is called, with what, and how it is used.

A plugin is a module with functions marked `@hookimpl`. An installed package names it under the entry point group
`harness`; a project names its own modules under `plugins:` in its environment files.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pluggy

from harness.errors import PluginError

GROUP = "harness"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def harness_roles() -> Sequence[type[Any]]:
    """Return the roles that this plugin adds, as subclasses of `harness.services.base.Service`.

    Called when an environment names a role that is not built in, and for the JSON Schema. Each class has a `role` (the
    name under `services:`; the built-in names are taken), a `spec_type` (a subclass of
    `harness.environment.service.ServiceSpec` with the keys of its block) and its `engines`::

        from harness.hookspecs import hookimpl

        @hookimpl
        def harness_roles():
            return [Redis]

    Keep the module's imports light: the client library is imported where it is used.
    """
    raise NotImplementedError


@hookspec
def harness_rules() -> Sequence[Any]:
    """Return the modules in which this plugin defines rules for DAG files.

    Called once by each `harness check`, and for `--explain`. A rule is a function under `harness.checks.rule`, whose
    docstring is its page; give a team's rules a prefix of their own, so that an id is never taken::

        from harness.checks import at, rule
        from harness.hookspecs import hookimpl

        @rule("ACME001", "no-friday-runs", family="acme", severity="warning")
        def no_friday_runs(file):
            '''A DAG is scheduled on Fridays.'''
            for dag in file.declared.dags:
                if str(dag.value("schedule")).endswith("5"):
                    yield at(dag, "this runs on Fridays", "choose another day")

        @hookimpl
        def harness_rules():
            return [sys.modules[__name__]]

    A project names such a module under `plugins` of `[tool.harness.check]` in its pyproject.toml.
    """
    raise NotImplementedError


def plugin_manager(
    modules: Sequence[str] = (), project: Path | None = None, *, installed: bool = True
) -> pluggy.PluginManager:
    """Return a manager that knows the named modules, and what is installed under the entry point group `harness`.

    Args:
        modules: importable modules, from `plugins:` of an environment file.
        project: root that they are imported from.
        installed: look at entry points, which takes about 0.1 s.

    Raises:
        PluginError: a plugin cannot be imported, or implements a hook that does not exist.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(sys.modules[__name__])
    with importable(project):
        for name in modules:
            _register(manager, name)
    try:
        if installed:
            manager.load_setuptools_entrypoints(GROUP)
        manager.check_pending()
    except Exception as error:  # a plugin's module may raise anything while it is imported
        raise PluginError(f"a plugin cannot be loaded: {type(error).__name__}: {error}") from error
    return manager


@contextmanager
def importable(project: Path | None) -> Iterator[None]:
    """Put the project's root on the import path, and leave it there: its modules import others when they are used."""
    if project is not None and str(project) not in sys.path:
        sys.path.insert(0, str(project))
    yield


def _register(manager: pluggy.PluginManager, name: str) -> None:
    try:
        module = import_module(name)
    except Exception as error:  # see above
        raise PluginError(
            f"the plugin {name!r} cannot be imported: {type(error).__name__}: {error}",
            module=name,
            hint="'plugins' takes module names, importable from the project's root",
        ) from error
    if not manager.is_registered(module):
        manager.register(module, name)
