"""Has a process that has already imported Airflow load the plugins of a project.

Bridges: Airflow reads the place of the plugins when it is imported, and keeps what it loads from there in caches of its
own and in others of the Task SDK; a child of the fork server serves a project that the server knew nothing of.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

_SETTING = "AIRFLOW__CORE__PLUGINS_FOLDER"
_MODULES = ("airflow.plugins_manager", "airflow.sdk.plugins_manager")


def use_plugins(project: Path) -> None:
    """Load plugins from the folder that the environment names, else from `plugins` in the project, where it has one.

    Args:
        project: root of the project; a relative folder is below it.
    """
    folder = (project / os.environ.get(_SETTING, "plugins")).resolve()
    if not folder.is_dir():
        return
    from airflow import settings

    os.environ[_SETTING] = settings.PLUGINS_FOLDER = str(folder)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    for name in _MODULES:
        for function in vars(import_module(name)).values():
            if getattr(function, "__module__", "") == name and hasattr(function, "cache_clear"):
                function.cache_clear()
