"""One check from paths to report: find the files, read and load them, ask the rules, judge."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.checks.air import CODES, air_findings
from harness.checks.baseline import apply_baseline
from harness.checks.config import Settings, find_pyproject
from harness.checks.engine import Judge, Judgement
from harness.checks.model import SEVERITIES, CheckReport, Finding, Severity
from harness.checks.project import Loaded, Project
from harness.checks.registry import Registry, registry_of
from harness.checks.source.file import SourceFile
from harness.checks.walk import Found, find_files
from harness.errors import NothingChecked

Progress = Callable[[int, int, str], None]
"""Takes how many files are done, how many there are, and what is being done."""


def quiet(done: int, total: int, what: str) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Request:
    """What is to be checked, and how.

    Args:
        paths: folders and files.
        settings: the project's; read from its pyproject.toml when None.
        environment: what DAGs must find there; None asks nothing about it.
        load: have Airflow load the files as well, instead of only reading them.
        cache: take the outcome of files whose inputs have not changed from the last check.
        baseline: file of the findings that are known, and hidden.
    """

    paths: Sequence[Path]
    settings: Settings | None = None
    environment: Any = None
    load: bool = True
    cache: bool = True
    baseline: Path | None = None


def check(request: Request, progress: Progress = quiet) -> CheckReport:
    """Check DAG files.

    Raises:
        NothingChecked: no DAG was found.
        ConfigError: a path or a setting is wrong.
    """
    started = time.monotonic()
    settings = request.settings or Settings.load(request.paths[0])
    project = collect(request, settings, progress)
    registry = registry_of(settings.plugins, project_root(request.paths[0]))
    judged = judge(project, settings, request.environment, registry)
    if request.baseline is not None:
        judged.findings, known = apply_baseline(request.baseline, judged.findings)
        judged.hidden += known
    dags = project.count
    if not dags and not judged.findings:
        raise NothingChecked(
            f"no DAG was found in {', '.join(map(str, request.paths))}",
            hint="files need both words 'dag' and 'airflow' in them, and .airflowignore counts",
        )
    return report(judged, settings, files=len(project.files), dags=dags, seconds=time.monotonic() - started)


def collect(request: Request, settings: Settings, progress: Progress = quiet) -> Project:
    """Find, read and load everything that is to be judged; reading goes on while Airflow is being imported."""
    found = find_files(request.paths, project_root(request.paths[0]))
    wanted = [*found.files, *found.archives]
    if not request.load or not wanted:
        return read(found, progress)
    from concurrent.futures import ThreadPoolExecutor

    from harness.checks.load import Loader, merged

    counter = iter(range(1, len(wanted) + 1))
    with ThreadPoolExecutor(1) as pool:
        loader = Loader(found.roots, settings, environ_of(request.environment))
        loading = pool.submit(loader.load, wanted, lambda path: progress(next(counter), len(wanted), path))
        project = read(found)
        outcomes = loading.result()
    for path, outcome in outcomes.items():
        declared = project.files[path].dags if path in project.files else ()
        project.outcomes[path] = merged(outcome, declared)
    return project


def project_root(path: Path) -> Path:
    """Return the folder of the project that a path is in: where its pyproject.toml is, or else the working folder."""
    manifest = find_pyproject(path)
    return manifest.parent if manifest else Path.cwd()


def environ_of(environment: Any) -> dict[str, str]:
    """Return the variables by which a file finds an environment's connections and variables while it is loaded.

    Connections have no coordinates there: a file that uses one while it is loaded does what it must not do.
    """
    if environment is None:
        return {}
    airflow = environment.spec.airflow
    variables = {name: v if isinstance(v, str) else json.dumps(v, default=str) for name, v in airflow.variables.items()}
    return {
        **{f"AIRFLOW_VAR_{name.upper()}": value for name, value in variables.items()},
        **{f"AIRFLOW_CONN_{name.upper()}": '{"conn_type": "generic"}' for name in airflow.connections},
        **airflow.environ,
    }


def read(found: Found, progress: Progress = quiet) -> Project:
    """Read the files; one that is no Python is an outcome of its own."""
    project = Project(roots=tuple(found.roots))
    project.outcomes = {problem.path: problem for problem in found.problems}
    for number, path in enumerate(found.files):
        progress(number, len(found.files), path)
        try:
            project.files[path] = SourceFile.read(Path(path), module_name(path, found.roots))
        except SyntaxError as error:
            project.outcomes[path] = Loaded(path, error=f"SyntaxError: {error.msg}", line=error.lineno or 1)
        except (UnicodeDecodeError, ValueError, RecursionError) as error:
            project.outcomes[path] = Loaded(path, error=f"{type(error).__name__}: {error}", ended="unreadable")
    project.follow()
    return project


def module_name(path: str, roots: Sequence[Path]) -> str:
    """Return the dotted name that a file has when it is imported from the first root above it."""
    file = Path(path).resolve()
    for root in roots:
        if file.is_relative_to(root):
            return ".".join(file.relative_to(root).with_suffix("").parts)
    return file.stem


def judge(project: Project, settings: Settings, environment: Any = None, registry: Registry | None = None) -> Judgement:
    """Ask every rule, ruff's among them, about a project."""
    wanted = not settings.select or any(c.startswith(settings.select) for c in CODES)
    others = air_findings([*project.files]) if wanted and project.files else []
    return Judge(registry or Registry.load(), settings, environment).judge(project, others)


def report(judged: Judgement, settings: Settings, *, files: int, dags: int, seconds: float) -> CheckReport:
    """Return the report of a check: it fails when a finding is as serious as the settings say."""
    bad = [finding for finding in judged.findings if at_least(finding, settings.fail_on)]
    return CheckReport(
        schema="harness.check/1",
        verdict="fail" if bad else "pass",
        reasons=(f"{len(bad)} findings of severity {settings.fail_on} or worse",) if bad else (),
        files=files,
        dags=dags,
        findings=tuple(judged.findings),
        hidden=len(judged.hidden),
        seconds=round(seconds, 3),
    )


def at_least(finding: Finding, severity: Severity) -> bool:
    """Say whether a finding is as serious as that."""
    return SEVERITIES.index(finding.severity) <= SEVERITIES.index(severity)
