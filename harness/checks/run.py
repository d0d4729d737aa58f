"""One check from paths to report: find the files, read and load what has changed, ask the rules, judge."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from harness.checks.air import CODES, air_findings
from harness.checks.baseline import apply_baseline, start_baseline
from harness.checks.cache import Cache, cache_for
from harness.checks.config import Settings, find_pyproject
from harness.checks.engine import Judge, Judgement
from harness.checks.model import CheckReport, Finding
from harness.checks.project import Loaded, Project
from harness.checks.registry import Registry, registry_of
from harness.checks.selection import resolved
from harness.checks.source.file import SourceFile
from harness.checks.walk import Found, find_files
from harness.environment.spec import NameRef
from harness.errors import NothingChecked
from harness.models.words import count

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
        cache: keep what is found, and take it from the last check for files whose inputs have not changed.
        baseline: file of the findings that are known, and hidden.
        start: write that file, with everything that is found now.
    """

    paths: Sequence[Path]
    settings: Settings | None = None
    environment: Any = None
    load: bool = True
    cache: bool = True
    baseline: Path | None = None
    start: bool = False


@dataclass
class Material:
    """What was read and loaded of the files that have changed.

    Args:
        files: by path; a file that is no Python is not among them.
        outcomes: how Airflow loaded them, and what could not even be read.
        inputs: what each file depends on.
    """

    files: dict[str, SourceFile] = field(default_factory=dict)
    outcomes: dict[str, Loaded] = field(default_factory=dict)
    inputs: dict[str, tuple[str, ...]] = field(default_factory=dict)


def check(request: Request, progress: Progress = quiet) -> CheckReport:
    """Check DAG files.

    Raises:
        NothingChecked: no DAG was found.
        ConfigError: a path or a setting is wrong, or the baseline.
    """
    started = time.monotonic()
    settings = request.settings or Settings.load(request.paths[0])
    registry = registry_of(settings.plugins, project_root(request.paths[0]))
    settings = resolved(settings, registry)
    judge = Judge(registry, settings, request.environment)
    project = examine(request, judge, progress)
    judged = judge.judge(project)
    if not project.count and not judged.findings:
        raise nothing_in(request.paths)
    if request.baseline is not None:
        if request.start:
            start_baseline(request.baseline, judged.findings)
        looked = partial(_looked, request, judge, project)
        judged.findings, known = apply_baseline(request.baseline, judged.findings, looked)
        judged.hidden += known
    return report(judged, settings, project, time.monotonic() - started)


def nothing_in(paths: Sequence[Path]) -> NothingChecked:
    """Return the error that no DAG is there."""
    return NothingChecked(
        f"no DAG was found in {', '.join(map(str, paths))}",
        hint="files need both words 'dag' and 'airflow' in them, and .airflowignore counts",
    )


def _looked(request: Request, judge: Judge, project: Project, rule_id: str, path: str) -> bool:
    """Say whether a finding of that rule in that file would have been made."""
    known = judge.registry.rules.get(rule_id)
    asked = rule_id in judge.asked if known else judge.settings.selects(rule_id)
    possible = known is None or known.family != "environment" or judge.environment is not None
    seen = path in project.facts or any(helper.path == path for helper in project.own_helpers)
    return request.load and asked and possible and (seen or not Path(path).exists())


def examine(request: Request, judge: Judge, progress: Progress = quiet) -> Project:
    """Return all facts about the files, new ones for those that have changed, and read the modules that they use."""
    found = find_files(request.paths, project_root(request.paths[0]))
    cache = _cache(request, judge, found)
    project = Project(roots=tuple(found.roots))
    every = [*found.files, *found.archives]
    known = {path: facts for path in every if (facts := cache.get(path)) is not None}
    stale = [path for path in every if path not in known]
    if stale:
        material = collect(request, judge.settings, found, stale, progress)
        for path, facts in _judged(judge, material, stale).items():
            known[path] = facts
            if path not in material.outcomes or material.outcomes[path].ended is None:
                cache.put(path, facts, material.inputs.get(path, ()))
        cache.save(every)
    for problem in found.problems:
        known[problem.path] = judge.of_file(problem.path, None, problem)
    project.facts = {path: known[path] for path in sorted(known)}
    project.inputs = {path: tuple(cache.entries[path].inputs) for path in every if path in cache.entries}
    project.follow()
    return project


def _cache(request: Request, judge: Judge, found: Found) -> Cache:
    if not request.cache:
        return Cache(None)
    environ = environ_of(request.environment)
    return cache_for(judge.settings, found.roots, load=request.load, environ=environ, rules_asked=sorted(judge.asked))


def _judged(judge: Judge, material: Material, paths: Sequence[str]) -> dict[str, Any]:
    """Ask the rules about each file, ruff's among them."""
    wanted = judge.settings.select
    asks_ruff = not wanted or any(code.startswith(wanted) for code in CODES)
    others: dict[str, list[Finding]] = {}
    for finding in air_findings(list(material.files)) if asks_ruff and material.files else []:
        others.setdefault(finding.path, []).append(finding)
    return {
        path: judge.of_file(path, material.files.get(path), material.outcomes.get(path), others.get(path, ()))
        for path in paths
    }


def collect(
    request: Request, settings: Settings, found: Found, paths: Sequence[str], progress: Progress = quiet
) -> Material:
    """Read files, and have Airflow load them; reading goes on while Airflow is being imported."""
    if not request.load:
        return read(found, paths, progress)
    from harness.checks.load import Loader, merged

    counter = iter(range(1, len(paths) + 1))
    with ThreadPoolExecutor(1) as pool:
        loader = Loader(found.roots, settings, environ_of(request.environment))
        loading = pool.submit(loader.load, paths, lambda path: progress(next(counter), len(paths), path))
        material = read(found, paths)
        outcomes = loading.result()
    for path, outcome in outcomes.items():
        declared = material.files[path].dags if path in material.files else ()
        material.outcomes[path] = merged(outcome, declared)
    material.inputs = loader.inputs
    return material


def read(found: Found, paths: Sequence[str], progress: Progress = quiet) -> Material:
    """Read files; one that is no Python is an outcome of its own."""
    material = Material()
    archives = set(found.archives)
    for number, path in enumerate(path for path in paths if path not in archives):
        progress(number, len(paths), path)
        try:
            material.files[path] = SourceFile.read(Path(path), module_name(path, found.roots))
        except SyntaxError as error:
            material.outcomes[path] = Loaded(path, error=f"SyntaxError: {error.msg}", line=error.lineno or 1)
        except (UnicodeDecodeError, ValueError, RecursionError) as error:
            material.outcomes[path] = Loaded(path, error=f"{type(error).__name__}: {error}", ended="unreadable")
    return material


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
    variables = {name: _text(value) for name, value in airflow.variables.items()}
    return {
        **{f"AIRFLOW_VAR_{name.upper()}": value for name, value in variables.items()},
        **{f"AIRFLOW_CONN_{name.upper()}": '{"conn_type": "generic"}' for name in airflow.connections},
        **{name: _text(value) for name, value in airflow.environ.items()},
    }


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    # a reference has the value's shape only: no service runs
    return value.example if isinstance(value, NameRef) else json.dumps(value, default=str)


def module_name(path: str, roots: Sequence[Path]) -> str:
    """Return the dotted name that a file has when it is imported from the first root above it."""
    file = Path(path).resolve()
    for root in roots:
        if file.is_relative_to(root):
            return ".".join(file.relative_to(root).with_suffix("").parts)
    return file.stem


def report(judged: Judgement, settings: Settings, project: Project, seconds: float) -> CheckReport:
    """Return the report of a check: it fails when a finding is as serious as the settings say."""
    bad = sum(finding.at_least(settings.fail_on) for finding in judged.findings)
    return CheckReport(
        schema="harness.check/1",
        verdict="fail" if bad else "pass",
        reasons=(f"{count(bad, 'finding')} of severity {settings.fail_on} or worse",) if bad else (),
        fail_on=settings.fail_on,
        paths=tuple(project.facts),
        files=len(project.facts),
        dags=project.count,
        findings=tuple(judged.findings),
        hidden=len(judged.hidden),
        seconds=round(seconds, 3),
    )


def examined(paths: Sequence[Path], settings: Settings | None = None, **options: Any) -> tuple[Project, Judgement]:
    """Examine and judge in one step, with the built-in rules only; for tools and tests that look at the parts.

    Args:
        options: of `Request`.
    """
    settings = settings or Settings()
    judge = Judge(Registry.load(), settings, options.get("environment"))
    project = examine(Request(paths, settings, **options), judge)
    return project, judge.judge(project)
