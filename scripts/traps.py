"""Decides which traps the harness finds, which twins it accuses, and what other tools say: `make traps`.

Every DAG of tests/traps/dags is judged by what the manifest names for it: a rule of `harness check` or a property of
`harness prove`. Beside that, DagBag, dag.test() and pytest-airflow-in-a-box get the same DAGs on the same inputs.
docs/traps.md is written when all traps were judged.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from harness.api import Session
from harness.checks.config import Settings
from harness.checks.model import Finding
from harness.checks.run import Request, check
from harness.environment import Environment
from harness.errors import HarnessError
from tests.peers import PeerError
from tests.traps import desk
from tests.traps.catalogue import DAGS, HERE, Trap, traps

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "traps.md"
#: what was decided so far, for a run that is taken up again
PROGRESS = HERE / ".harness" / "traps"
#: the share that must be found, of all
FOUND_AT_LEAST = 0.95
#: tool -> how its complaints are called in an answer of the desk
PEERS = {
    "DagBag": ("airflow", "imported"),
    "dag.test()": ("airflow", "tested"),
    "in-a-box": ("box", "imported tested"),
}


@dataclass(frozen=True)
class Judged:
    """What our detector says of one DAG.

    Args:
        accused: it says that there is the defect.
        words: its outcome, in one word, and its reason.
    """

    accused: bool
    words: str


Verdicts = dict[str, Judged]


def by_rules(chosen: Sequence[Trap], environment: Environment) -> Verdicts:
    """Judge all files by `harness check`: a trap by its rule; a twin by that, and by every finding that is an error."""
    report = check(Request([trap.file(kind) for trap in chosen for kind in ("trap", "twin")], Settings(), environment))
    found: dict[str, list[Finding]] = {}
    for finding in report.findings:
        found.setdefault(Path(finding.path).stem, []).append(finding)
    verdicts = {}
    for trap in chosen:
        for kind in ("trap", "twin"):
            own = [one for one in found.get(trap.dag_id(kind), ()) if matters(one, trap, kind == "twin")]
            if trap.detector != "property" or own:
                verdicts[trap.dag_id(kind)] = Judged(bool(own), own[0].message if own else "no finding")
    return verdicts


def matters(finding: Finding, trap: Trap, twin: bool) -> bool:
    """Say whether a finding counts: the rule that the manifest names, and on a twin every error."""
    named = trap.detector == "rule" and finding.rule == trap.found_by
    return named or (twin and finding.severity == "error")


def by_proof(session: Session, trap: Trap) -> Verdicts:
    """Decide the property that the manifest names, of a trap and of its twin."""
    from harness.proofs import prove

    verdicts = {}
    for dag_id in (trap.dag_id("trap"), trap.dag_id("twin")):
        try:
            result = prove(session, [dag_id], [trap.found_by]).dags[0].proof(trap.found_by)
        except HarnessError as error:
            verdicts[dag_id] = Judged(False, f"error: {error}")
        else:
            verdicts[dag_id] = Judged(result.outcome == "refuted", f"{result.outcome}: {result.reason}")
    return verdicts


def by_run(session: Session, trap: Trap) -> Verdicts:
    """Run a trap and its twin for a date, and look for the words in the reasons of the verdict."""
    verdicts = {}
    for dag_id in (trap.dag_id("trap"), trap.dag_id("twin")):
        try:
            report = session.run(dag_id, date=desk.DATE)
        except HarnessError as error:
            verdicts[dag_id] = Judged(False, f"error: {error}")
        else:
            said = "; ".join(report.reasons)
            verdicts[dag_id] = Judged(trap.found_by in said, f"{report.verdict}: {said}")
    return verdicts


def judged(session: Session, chosen: Sequence[Trap], known: Verdicts) -> Verdicts:
    """Return the verdicts on all traps and twins; takes those on properties that are known."""
    by_rule = by_rules(chosen, session.environment)
    verdicts = dict(by_rule)
    for trap in chosen:
        if trap.detector == "rule":
            continue
        decide = by_run if trap.detector == "run" else by_proof
        pair = [trap.dag_id("trap"), trap.dag_id("twin")]
        fresh = {dag_id: known[dag_id] for dag_id in pair} if known.keys() >= set(pair) else decide(session, trap)
        record("verdicts", {dag_id: vars(verdict) for dag_id, verdict in fresh.items()})
        # an error that a rule found in a twin stays
        verdicts.update({name: one for name, one in fresh.items() if name not in by_rule or one.accused})
        for dag_id in pair:
            print(f"{trap.found_by:12} {dag_id:32} {verdicts[dag_id].words[:200]}", file=sys.stderr, flush=True)
    return verdicts


def peers(session: Session, chosen: Sequence[Trap], known: Mapping[str, Any]) -> dict[str, desk.Answers | str]:
    """Return what each peer complains of, or why it could not be asked; takes what is known of all that are chosen."""
    tools: Mapping[str, Callable[..., desk.Answers]] = {
        "airflow": desk.with_airflow_alone,
        "box": desk.in_a_box,
    }
    wanted = {trap.dag_id(kind) for trap in chosen for kind in ("trap", "twin")}
    answers: dict[str, desk.Answers | str] = {}
    for name, ask in tools.items():
        if wanted <= set(known.get(name, ())):
            answers[name] = known[name]
            continue
        try:
            answers[name] = ask(session, chosen)
            record("answers", {name: answers[name]})
        except (RuntimeError, PeerError) as error:
            answers[name] = str(error)
    return answers


def complaint(answers: Mapping[str, desk.Answers | str], tool: str, dag_id: str) -> bool | None:
    """Say whether a peer complains of a DAG; None when it could not be asked."""
    source, ways = PEERS[tool]
    said = answers[source]
    return None if isinstance(said, str) or dag_id not in said else any(way in said[dag_id] for way in ways.split())


def cell(complains: bool | None, twin: bool | None) -> str:
    """Return what a table says of a trap and its twin."""
    if complains is None or twin is None:
        return "not measured"
    return ("found" if complains else "-") + (", twin accused" if twin else "")


def rows(chosen: Sequence[Trap], verdicts: Verdicts, answers: Mapping[str, Any] | None) -> Iterator[list[str]]:
    """Yield a line of the table for each trap."""
    for trap in chosen:
        ours, twin = (verdicts[trap.dag_id(kind)] for kind in ("trap", "twin"))
        line = [trap.name, trap.defect, trap.found_by, "found" if ours.accused else "**missed**"]
        line.append("**accused**" if twin.accused else twin.words.partition(":")[0].replace("no finding", "clear"))
        for tool in PEERS if answers else ():
            pair = (complaint(answers or {}, tool, trap.dag_id(kind)) for kind in ("trap", "twin"))
            line.append(cell(*pair))
        yield line


def table(lines: Sequence[Sequence[str]], peers_too: bool) -> str:
    """Return the table in Markdown, its columns aligned."""
    head = ["trap", "defect", "by", "harness", "its twin", *(PEERS if peers_too else ())]
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    ruled = [head, ["-" * width for width in widths], *lines]
    return "\n".join(
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in ruled
    )


def summary(chosen: Sequence[Trap], verdicts: Verdicts, answers: Mapping[str, Any] | None) -> str:
    """Return how many traps each tool found, and how many twins it accused."""
    lines = ["| tool | traps found | of the dynamic ones | twins accused |", "|---|---|---|---|"]
    asked: dict[str, Callable[[str], bool | None]] = {"harness": lambda dag_id: verdicts[dag_id].accused}
    for tool in PEERS if answers else ():
        asked[tool] = lambda dag_id, tool=tool: complaint(answers or {}, tool, dag_id)  # type: ignore[misc]
    for tool, accuses in asked.items():
        found, twins = ([bool(accuses(trap.dag_id(kind))) for trap in chosen] for kind in ("trap", "twin"))
        dynamic = [one for one, trap in zip(found, chosen, strict=True) if trap.dynamic]
        lines.append(f"| {tool} | {sum(found)} of {len(found)} | {sum(dynamic)} of {len(dynamic)} | {sum(twins)} |")
    return "\n".join(lines)


def page(chosen: Sequence[Trap], verdicts: Verdicts, answers: Mapping[str, Any]) -> str:
    """Return docs/traps.md."""
    reasons = [f"{name} could not be asked: {said}\n" for name, said in answers.items() if isinstance(said, str)]
    return "\n".join(
        [
            "# Traps",
            "",
            "Each trap is a DAG with one realistic defect; its twin has it repaired, in at most ten lines. `make",
            "traps` judges both by the rule of `harness check`, the property of `harness prove` or the verdict of",
            "`harness run` that must find the defect, and writes this page. A twin is accused when that detector",
            "speaks up, or when `harness check` finds an error in it. The files are in `tests/traps/dags`; what must",
            "find them is in `tests/traps/manifest.yaml`.",
            "",
            "Beside it stands what other tools say of the same DAGs, with the same connections and inputs: *DagBag*,",
            "the file can be imported; *dag.test()*, the run of one date is green; *in-a-box*, the smoke tests and",
            f"`run_dag` of {desk.BOX.replace('==', ' ')}.",
            "",
            summary(chosen, verdicts, answers),
            "",
            *reasons,
            table(list(rows(chosen, verdicts, answers)), peers_too=True),
            "",
        ]
    )


def recorded(what: str) -> dict[str, Any]:
    """Return what earlier, interrupted runs have left of `verdicts` or `answers`."""
    file = PROGRESS / f"{what}.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def decided() -> Verdicts:
    """Return the verdicts of earlier runs; what ended in an error is decided anew."""
    found = {dag_id: Judged(**said) for dag_id, said in recorded("verdicts").items()}
    return {dag_id: verdict for dag_id, verdict in found.items() if not verdict.words.startswith("error")}


def record(what: str, found: Mapping[str, Any]) -> None:
    """Keep what was found, with what is there, so that `--resume` can go on from there."""
    PROGRESS.mkdir(parents=True, exist_ok=True)
    with FileLock(PROGRESS / "lock"):
        fresh = PROGRESS / f"{what}.fresh"
        fresh.write_text(json.dumps({**recorded(what), **found}, indent=1))
        fresh.replace(PROGRESS / f"{what}.json")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these traps; docs/traps.md stays as it is")
    parser.add_argument(
        "--no-peers", action="store_true", help="leave the other tools out; docs/traps.md stays as it is"
    )
    parser.add_argument("--resume", action="store_true", help="take what an interrupted run has decided")
    parser.add_argument("--keep", type=float, metavar="SECONDS", help="leave the services running for as long")
    return parser.parse_args(argv)


def choose(names: Sequence[str]) -> list[Trap]:
    """Return the traps of these names, all of them for none; ends with 2 on a name that is not there."""
    known = {trap.name: trap for trap in traps()}
    if unknown := [name for name in names if name not in known]:
        print(f"traps: there is no {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        raise SystemExit(2)
    return [known[name] for name in names or known]


def main(argv: Sequence[str] | None = None) -> int:
    """Judge the traps and print the table; 1 when too few are found, or a twin is accused."""
    asked = arguments(argv)
    sys.path.insert(0, str(HERE))  # where the seeds are
    chosen = choose(asked.names)
    environment = Environment.load("dev", folder=HERE / "environments")
    if not asked.resume and not asked.names:
        shutil.rmtree(PROGRESS, ignore_errors=True)
    known = decided() if asked.resume else {}
    with Session(environment, dags=DAGS, keep=asked.keep) as session:
        answers = None if asked.no_peers else peers(session, chosen, recorded("answers") if asked.resume else {})
        verdicts = judged(session, chosen, known)
    print(table(list(rows(chosen, verdicts, answers)), peers_too=bool(answers)))
    print("\n" + summary(chosen, verdicts, answers))
    if answers and not asked.names:
        PAGE.write_text(page(chosen, verdicts, answers))
        print(f"\nwrote {PAGE.relative_to(ROOT)}")
    return outcome(chosen, verdicts)


def outcome(chosen: Sequence[Trap], verdicts: Verdicts) -> int:
    """Return 1 when fewer are found than must be, or a twin is accused."""
    found = sum(verdicts[trap.dag_id("trap")].accused for trap in chosen)
    accused = sum(verdicts[trap.dag_id("twin")].accused for trap in chosen)
    return 1 if accused or found < FOUND_AT_LEAST * len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
