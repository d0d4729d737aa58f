"""Reads the DAG files of a project once: what they use, what they depend on, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.checks.config import Settings
from harness.checks.engine import Judge
from harness.checks.model import CheckReport
from harness.checks.project import Project
from harness.checks.registry import registry_of
from harness.checks.run import Request, examine, project_root, report
from harness.environment import Environment
from harness.errors import ConfigError, NothingChecked
from harness.gate.subjects import DagFile

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Material:
    """What there is to judge.

    Args:
        folder: of the DAG files.
        project: facts of all DAG files.
        checked: what the static rules found, the environment's own among them.
    """

    folder: Path
    project: Project
    checked: CheckReport

    @property
    def files(self) -> list[DagFile]:
        """The DAG files with what they depend on."""
        return [
            DagFile(Path(path), facts.dags, self.project.inputs.get(path, ()))
            for path, facts in self.project.facts.items()
        ]


def read(dags: Path, environment: Environment | None, progress: Progress = lambda done, total, what: None) -> Material:
    """Read, load and check the DAG files of a folder.

    Args:
        environment: also check that it has what the DAGs use.

    Raises:
        ConfigError: there is no such folder.
        NothingChecked: there is no DAG in it.
    """
    if not dags.exists():
        raise ConfigError(f"there is no {dags}", hint="name the folder of the DAG files with --dags")
    request = Request((dags,), Settings.load(dags), environment)
    settings = request.settings or Settings()
    judge = Judge(registry_of(settings.plugins, project_root(dags)), settings, environment)
    project = examine(request, judge, progress)
    if not project.count:
        raise NothingChecked(f"no DAG was found in {dags}", hint="name the folder of the DAG files with --dags")
    return Material(dags, project, report(judge.judge(project), settings, project, 0.0))
