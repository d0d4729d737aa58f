"""What is wrong with a request as far as its text tells: said before a service is started for it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from harness.environment import Environment
from harness.errors import ConfigError


def refuse_dates(*texts: str | None) -> None:
    """Raise ConfigError when one of these is no date; None and `none` are fine."""
    from harness.runner.dates import read

    for text in texts:
        if text is not None and text.lower() != "none":
            read(text)


def refuse_seeds(environment: Environment, dags: Path, *dag_ids: str) -> None:
    """Raise ConfigError when the seed of one of these DAGs is in a module that is nowhere.

    Args:
        dags: folder of the DAG files, from which modules are imported as well.
    """
    for dag_id in dag_ids:
        declared = environment.spec.dags.get(dag_id)
        seed = declared.seed if declared is not None else None
        if seed is not None and not _there(seed.partition(":")[0], environment.project, dags):
            file = Path(*seed.partition(":")[0].split(".")).with_suffix(".py")
            raise ConfigError(f"the seed {seed!r} of {dag_id} is in no module of the project", hint=f"write {file}")


def _there(module: str, *roots: Path) -> bool:
    """Tell whether a module may be found, without importing anything of it."""
    first, *rest = module.split(".")
    installed = find_spec(first)
    if installed is not None and not installed.submodule_search_locations:
        return True
    below = (
        [Path(folder, *rest) for folder in (installed.submodule_search_locations or ()) if rest] if installed else []
    )
    paths = [*(root.joinpath(first, *rest) for root in roots), *below]
    return any(path.is_dir() or path.with_suffix(".py").is_file() for path in paths) or (
        installed is not None and not rest
    )
