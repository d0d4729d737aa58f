"""Holds the harness to Airflow's own example DAGs: what the check says of them, what a run makes of them.

`make compatibility` writes docs/compatibility.md. Runs are kept in .harness/compatibility, so that an interrupted one
goes on where it was; `--fresh` starts anew. What is said about single DAGs stands in scripts/compatibility.toml.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import shutil
import sys
import tempfile
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "compatibility.md"
NOTES = ROOT / "scripts" / "compatibility.toml"
WORK = ROOT / ".harness" / "compatibility"

#: both sides make a manual run of this logical date, a Friday
DATE = "2026-01-02T00:00:00+00:00"
#: seconds for one DAG on one side
PATIENCE = 300.0
#: what the examples want of Airflow, as a file of the plugins folder
PLUGINS = """\
from airflow.example_dags.plugins.custom_partition_timetable import *
from airflow.example_dags.plugins.decreasing_priority_weight_strategy import *
from airflow.example_dags.plugins.workday import *
"""

#: what Airflow's own defaults hold, and an example uses
CONNECTIONS = {"fs_default": {"conn_type": "fs", "extra": {"path": "/"}}}

#: what stands in a case that dag.test() has not been asked about yet
PENDING = "not asked yet"

States = dict[str, str | None]


@dataclass
class Case:
    """One DAG on both sides.

    Args:
        ours: states of the tasks after `harness run`, by name; None when it said nothing.
        verdict: of the harness, with its reasons.
        theirs: the same after `dag.test()`; None when it did not end.
        trouble: what `dag.test()` ended with, when it was no result.
    """

    dag_id: str
    ours: States | None = None
    verdict: str = ""
    reasons: list[str] = field(default_factory=list)
    seconds: float = 0.0
    theirs: States | None = None
    trouble: str = ""
    their_seconds: float = 0.0


@dataclass(frozen=True)
class Notes:
    """What people have written about single findings and DAGs, see scripts/compatibility.toml."""

    errors: Mapping[str, str]
    excluded: Mapping[str, str]
    lots: Mapping[str, Sequence[str]]
    documented: Mapping[str, Mapping[str, Any]]
    discussed: Sequence[Mapping[str, str]]

    @classmethod
    def read(cls) -> Notes:
        return cls(**tomllib.loads(NOTES.read_text(encoding="utf-8")))

    def same(self, case: Case) -> bool:
        """Say whether both sides left the same states, but for what the DAG's lots decide (see `settled`)."""
        lots = self.lots.get(case.dag_id, ())
        return None not in (case.ours, case.theirs) and settled(case.ours, lots) == settled(case.theirs, lots)


def settled(states: States | None, lots: Sequence[str]) -> tuple[States, list[Counter[tuple[str | None, ...]]]]:
    """Return the states without what chance decides.

    Args:
        lots: for each lot the stems of the tasks that it decides about: with `branch_ follow_`, branch_a and follow_a
            stand and fall together, and as many pairs as there are must end in each way.
    """
    rest = dict(states or {})
    counted = []
    for stems in map(str.split, lots):
        ends = {name.removeprefix(stem) for stem in stems for name in rest if name.startswith(stem)}
        counted.append(Counter(tuple(rest.pop(stem + end, None) for stem in stems) for end in ends))
    return rest, counted


def airflow_root() -> Path:
    """Return the folder of the installed Airflow; its providers are below it."""
    spec = importlib.util.find_spec("airflow")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("compatibility: Airflow is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def example_folders() -> list[Path]:
    """Return the folders of example DAGs in Airflow and in the installed providers."""
    return sorted(path for path in airflow_root().rglob("example_dags") if any(path.glob("*.py")))


class Examples:
    """The example DAGs by their files; those of one package trigger those of another."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.files = files

    @classmethod
    def of(cls, project: Any) -> Examples:
        """Take the ids from what was loaded to check them."""
        return cls({dag_id: Path(path) for path, facts in project.facts.items() for dag_id in facts.dags})

    def needed(self, dag_id: str) -> set[Path]:
        """Return the DAG's file and those of DAGs that it names, theirs too."""
        found: set[Path] = set()
        todo = [self.files[dag_id]]
        while todo:
            path = todo.pop()
            if path not in found:
                found.add(path)
                text = path.read_text(encoding="utf-8")
                todo += [other for name, other in self.files.items() if f'"{name}"' in text or f"'{name}'" in text]
        return found

    def copy(self, target: Path, dag_ids: Iterable[str]) -> Path:
        """Make a folder of DAGs that holds these, and what they need."""
        target.mkdir(parents=True)
        for path in {path for dag_id in dag_ids for path in self.needed(dag_id)}:
            shutil.copy(path, target / path.name)
            if (path.parent / "sql").is_dir():
                shutil.copytree(path.parent / "sql", target / "sql", dirs_exist_ok=True)
        return target


def run_all(dag_ids: Sequence[str], examples: Examples, notes: Notes, *, only_compare: bool = False) -> list[Case]:
    """Run DAGs on both sides; what an earlier call has done is not done again.

    Args:
        only_compare: ask `dag.test()` about the DAGs that were run, and leave out the others.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    wanted = [dag_id for dag_id in dag_ids if dag_id not in notes.excluded]
    with tempfile.TemporaryDirectory(prefix="harness-compatibility-") as name:
        folder = Path(name)
        (folder / "plugins").mkdir()
        (folder / "plugins" / "examples.py").write_text(PLUGINS)
        if only_compare:
            wanted = [dag_id for dag_id in wanted if _file(dag_id).exists()]
        elif todo := [dag_id for dag_id in wanted if not _file(dag_id).exists()]:
            _run_ours(todo, examples, folder)
        if pending := [case for case in map(_load, wanted) if case.trouble == PENDING]:
            _run_theirs(pending, examples, notes, folder)
    return [_load(dag_id) for dag_id in wanted]


def _file(dag_id: str) -> Path:
    return WORK / f"{dag_id}.json"


def _load(dag_id: str) -> Case:
    return Case(**json.loads(_file(dag_id).read_text()))


def _save(case: Case) -> None:
    _file(case.dag_id).write_text(json.dumps(asdict(case), indent=1) + "\n")


def _run_ours(dag_ids: Sequence[str], examples: Examples, folder: Path) -> None:
    """Run DAGs in a project that holds nothing but the examples, without any service."""
    from harness import Environment, Session

    dags = examples.copy(folder / "dags", dag_ids)
    (folder / "examples.yaml").write_text(
        json.dumps({"stage": "dev", "services": {}, "airflow": {"connections": CONNECTIONS}})
    )
    environment = Environment.load("examples", folder=folder, project=folder)
    with Session(environment, dags=dags) as session:
        for number, dag_id in enumerate(dag_ids, 1):
            case = Case(dag_id, trouble=PENDING)
            _ours(case, session)
            _save(case)
            _say(f"harness run {number}/{len(dag_ids)} {dag_id}: {case.verdict}, {case.seconds:.1f} s")


def _run_theirs(cases: Sequence[Case], examples: Examples, notes: Notes, folder: Path) -> None:
    """Have forks of a process that has imported Airflow, and nothing of the harness's runner, call `dag.test()`.

    One fork takes DAGs until one hangs in it: what Airflow makes at the first call serves the others.
    """
    from harness.session.forkclient import AIRFLOW_MODULES, ForkServer, Options

    modules = tuple(name for name in AIRFLOW_MODULES if name.startswith("airflow"))
    left = {case.dag_id: case for case in cases}

    def heard(event: dict[str, Any]) -> None:
        case = left.pop(event["dag_id"])
        case.theirs, case.trouble, case.their_seconds = event["states"], event["trouble"], event["seconds"]
        _save(case)
        word = "same" if notes.same(case) else "DIFFERENT"
        _say(f"dag.test() {case.dag_id}: {word}, {case.their_seconds:.1f} s")

    connections = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(one) for name, one in CONNECTIONS.items()}
    environ = {"PYTHONPATH": str(ROOT), **connections}
    with ForkServer.start(folder=folder / "fork", preload=modules, environ=environ) as server:
        for batch in itertools.count():
            if not left:
                return
            some = [(dag_id, folder / "reference" / str(batch) / dag_id / "dags") for dag_id in left]
            payload = {
                "project": str(folder),
                "dags": [(dag_id, str(examples.copy(place, [dag_id]))) for dag_id, place in some],
            }
            options = Options(cwd=str(folder), sys_path=[str(ROOT)], output=str(folder / "output.log"))
            before = len(left)
            outcome = server.client().run("scripts.compatibility:reference", payload, heard, options=options)
            if len(left) == before:
                raise SystemExit(f"compatibility: dag.test() cannot be called: {outcome.describe()}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _ours(case: Case, session: Any) -> None:
    from harness.errors import HarnessError

    started = time.monotonic()
    try:
        report = session.run(case.dag_id, date=DATE, manual=True, deadline=PATIENCE)
    except HarnessError as error:
        case.verdict, case.reasons = "error", [str(error)]
    else:
        case.verdict, case.reasons = report.verdict, list(report.reasons)
        case.ours = dict(sorted(report.runs[0].states.items())) if report.runs else None
    case.seconds = round(time.monotonic() - started, 1)


def reference(payload: dict[str, Any], emit: Any) -> None:
    """Run DAGs with Airflow's own `dag.test()`, each on a metadata database of its own, until one of them hangs.

    A thread watches the time, since SIGALRM is not ours: Airflow sets it for the time limits of tasks.
    """
    from harness._compat.plugins import use_plugins

    use_plugins(Path(payload["project"]))
    for dag_id, folder in payload["dags"]:
        said: dict[str, Any] = {"dag_id": dag_id, "states": None, "trouble": ""}
        started = time.monotonic()
        watch = threading.Timer(PATIENCE, _give_up, (emit, said))
        watch.start()
        try:
            said["states"] = _tested(dag_id, Path(folder))
        except Exception as error:  # noqa: BLE001 - whatever ends it stands in the table
            said["trouble"] = f"{type(error).__name__}: {error}"
        watch.cancel()
        emit({**said, "seconds": round(time.monotonic() - started, 1)})
        if said["trouble"]:
            return


def _give_up(emit: Any, said: dict[str, Any]) -> None:
    emit({**said, "trouble": f"did not end in {PATIENCE:.0f} s", "seconds": PATIENCE})
    os._exit(1)


def _tested(dag_id: str, folder: Path) -> States:
    from datetime import datetime

    from harness._compat import metadata
    from harness.engines.jars import cache_dir
    from harness.runner.discovery import Library

    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(folder)
    sys.path.insert(0, str(folder))
    metadata.clone(metadata.template(cache_dir()), folder.parent / "airflow.db")
    run = Library(folder).find(dag_id).test(logical_date=datetime.fromisoformat(DATE))
    found = [(_name(one), one.state and str(one.state)) for one in run.get_task_instances()]
    sys.path.remove(str(folder))
    return dict(sorted(found))


def _name(one: Any) -> str:
    return one.task_id if one.map_index < 0 else f"{one.task_id}[{one.map_index}]"


def checked() -> tuple[Any, Any]:
    """Check the examples with every rule that is on by default, but for the one that depends on the machine's speed."""
    from harness.checks.config import Settings
    from harness.checks.run import examined

    return examined(tuple(example_folders()), Settings(ignore={"DAG409": "measures seconds"}))


def page(project: Any, judged: Any, cases: Sequence[Case], notes: Notes, left: Sequence[str] = ()) -> str:
    """Write the page.

    Args:
        left: DAGs that have not been run yet.
    """
    parts = [_head(), *_findings(project, judged, notes), *_discussed(notes), *_runs(cases, notes)]
    if left:
        parts.append(f"\n### Not run yet\n\n`make compatibility` goes on with these {len(left)}: {', '.join(left)}.")
    return "\n".join(parts) + "\n"


def _head() -> str:
    providers = ", ".join(sorted({_package(folder) for folder in example_folders()}))
    return (
        "# Compatibility with Airflow's example DAGs\n\n"
        f"Made by `make compatibility` with Airflow {version('apache-airflow')}, from the example DAGs of\n"
        f"{providers}; the other installed providers ship none.\n"
        "What is said about single findings and DAGs is written by people, in `scripts/compatibility.toml`; an error\n"
        "or a difference that nobody has written about ends the command with 1."
    )


def _package(folder: Path) -> str:
    inner = folder.relative_to(airflow_root()).parts[:-1]
    return "-".join(("apache-airflow", *inner))


def _findings(project: Any, judged: Any, notes: Notes) -> Iterator[str]:
    found = Counter((f.rule, f.name, f.severity) for f in judged.findings)
    yield "\n## What `harness check` finds\n"
    yield f"{len(project.facts)} files, {project.count} DAGs, no file that cannot be loaded.\n"
    yield "| rule | name | severity | findings |\n|---|---|---|---|"
    order = {"error": 0, "warning": 1, "info": 2}
    for (rule, name, severity), number in sorted(found.items(), key=lambda row: (order[row[0][2]], row[0])):
        yield f"| {rule} | {name} | {severity} | {number} |"
    yield "\n### Every error\n\n| file | line | rule | what is found | why it is right |\n|---|---|---|---|---|"
    for finding in judged.findings:
        if finding.severity == "error":
            name = Path(finding.path).name
            why = notes.errors.get(f"{name} {finding.rule}", "**nobody has said why**")
            yield f"| {name} | {finding.line} | {finding.rule} | {_cell(finding.message)} | {_cell(why)} |"


def _discussed(notes: Notes) -> Iterator[str]:
    yield "\n### Five findings, discussed"
    for one in notes.discussed:
        yield f"\n**{one['title']}** {one['text'].strip()}"


def _runs(cases: Sequence[Case], notes: Notes) -> Iterator[str]:
    same = sum(map(notes.same, cases))
    yield "\n## What `harness run` makes of them\n"
    yield (
        f"Each DAG is run as a manual run of {DATE} by the harness and by `dag.test()`, each on a metadata\n"
        f"database of its own, for at most {PATIENCE:.0f} s. Of {len(cases)} DAGs, {same} end with the same state in\n"
        f"every task; what is said about the other {len(cases) - same} stands in their rows.\n"
        f"{len(notes.excluded)} are not run.\n"
    )
    yield "| DAG | tasks after `harness run` | verdict | `dag.test()` | |\n|---|---|---|---|---|"
    for case in cases:
        theirs = _counts(case.theirs) if case.theirs is not None else case.trouble
        word = _cell(_word(case, notes))
        yield f"| {case.dag_id} | {_counts(case.ours)} | {case.verdict} | {_cell(theirs)} | {word} |"
    yield "\n### Not run\n\n| DAG | why |\n|---|---|"
    yield from (f"| {dag_id} | {_cell(why)} |" for dag_id, why in sorted(notes.excluded.items()))


def _word(case: Case, notes: Notes) -> str:
    if notes.same(case):
        return "same, but for which branch was drawn" if case.dag_id in notes.lots else "same"
    said = notes.documented.get(case.dag_id)
    if said is None:
        return "**different**"
    right = case.ours == said.get("states")
    return f"as documented: {said['reason']}" if right else "**not as documented**"


def _counts(states: States | None) -> str:
    if states is None:
        return "none"
    counted = Counter(state or "no state" for state in states.values())
    return ", ".join(f"{number} {state}" for state, number in counted.most_common()) or "no task"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def unexplained(judged: Any, cases: Sequence[Case], notes: Notes) -> list[str]:
    """Return what nobody has written about."""
    keys = {f"{Path(f.path).name} {f.rule}" for f in judged.findings if f.severity == "error"}
    bad = [f"{key}: an error that nobody has justified" for key in sorted(keys - notes.errors.keys())]
    bad += [f"{key}: justified, but not found" for key in sorted(notes.errors.keys() - keys)]
    return bad + [f"{case.dag_id}: {_word(case, notes)}" for case in cases if "**" in _word(case, notes)]


def main() -> int:
    """Check and run the examples, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", metavar="DAG", help="run only these; nothing is written then")
    parser.add_argument("--fresh", action="store_true", help="run all DAGs again")
    parser.add_argument("--only-compare", action="store_true", help="run no other DAG, and write what there is")
    asked = parser.parse_args()
    notes = Notes.read()
    project, judged = checked()
    examples = Examples.of(project)
    if asked.only:
        for name in asked.only:
            _file(name).unlink(missing_ok=True)
        print(json.dumps([asdict(case) for case in run_all(asked.only, examples, notes)], indent=1))
        return 0
    if asked.fresh:
        shutil.rmtree(WORK, ignore_errors=True)
    cases = run_all(sorted(examples.files), examples, notes, only_compare=asked.only_compare)
    left = sorted(examples.files.keys() - notes.excluded.keys() - {case.dag_id for case in cases})
    PAGE.write_text(page(project, judged, cases, notes, left), encoding="utf-8")
    problems = [*unexplained(judged, cases, notes), *(f"{dag_id}: not run yet" for dag_id in left)]
    print("\n".join([*problems, f"wrote {PAGE.relative_to(ROOT)}"]), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
