"""Which declared outputs a run touched, and what it means that it touched none. Pure: no Airflow, no store.

A run is asked to touch its outputs once: when an earlier run of the same date in the same namespace changed them, a
later one that finds all as it should be is a sound re-run. What was written again with the same content counts as
untouched, because the stores do not tell the difference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from harness.environment.references import covers
from harness.environment.spec import DagSpec
from harness.models.run import RunResult, TaskResult
from harness.models.snapshot import Difference
from harness.models.words import count
from harness.state.diff import holds_data

#: stands for "anything" in a DAG that declares no outputs
ANY = "any: *"

HINT = "where that is right, declare it with its reason under 'untouched' (or 'empty', for a date without input)"

Touched = Mapping[str, Collection[str]]
"""Key of a run to the outputs that it, or an earlier run of the same date, changed."""


def key_of(run: RunResult, parent: str = "") -> str:
    """Return what a run and its re-runs have in common: DAG and logical date, below the run that triggered it."""
    if parent:
        return f"{parent} > {run.dag_id}"  # what was triggered may have another date each time
    return f"{run.dag_id} {run.logical_date.isoformat() if run.logical_date else 'without a date'}"


def touched_by(spec: DagSpec, differences: Iterable[Difference]) -> frozenset[str]:
    """Return the declared outputs that hold other data than before, each as `service: name`.

    A table that is new and empty is no output yet.
    """
    real = [one for one in differences if holds_data(one)]
    if not spec.outputs:
        return frozenset({ANY} if real else ())
    return frozenset(
        f"{service}: {pattern}"
        for service, pattern in _declared(spec)
        if any(one.service == service and covers(pattern, one.name) for one in real)
    )


def touched_in(runs: Iterable[RunResult], dags: Mapping[str, DagSpec], parent: str = "") -> dict[str, frozenset[str]]:
    """Return what runs changed, by key; those that they triggered share their stores, and so their differences."""
    found: dict[str, frozenset[str]] = {}
    for run in runs:
        key = key_of(run, parent)
        found[key] = touched_by(dags.get(run.dag_id, DagSpec()), run.outputs)
        children = (child.model_copy(update={"outputs": run.outputs}) for child in run.triggered)
        found |= touched_in(children, dags, key)
    return found


def judge_outputs(
    spec: DagSpec,
    differences: Sequence[Difference],
    tasks: Sequence[TaskResult],
    earlier: Collection[str] = (),
    *,
    unread: Collection[str] = (),
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Judge what a successful run left of its outputs.

    Args:
        spec: what is declared about the DAG.
        differences: of the stores, from before the run to after it.
        tasks: of the run.
        earlier: outputs that earlier runs of the same date changed.
        unread: services whose content cannot be read here.

    Returns:
        Reasons to fail it, and warnings: sentences.
    """
    if hidden := sorted(spec.outputs.keys() & set(unread)):
        names = [name for service in hidden for name in spec.outputs[service]]
        read = {service: names for service, names in spec.outputs.items() if service not in hidden}
        seen = spec.model_copy(update={"outputs": read})
        reasons, warnings = judge_outputs(seen, differences, tasks, earlier) if read else ((), ())
        return reasons, (f"not judged: {', '.join(names)}; {' and '.join(hidden)} cannot be read here", *warnings)
    touched = touched_by(spec, differences).union(earlier)
    if not spec.outputs:
        words = "no store changed, and the DAG declares no outputs: nothing but the states of its tasks was judged"
        return (), (() if touched else (words,))
    declared = list(_declared(spec))
    untouched = [(service, name) for service, name in declared if f"{service}: {name}" not in touched]
    whys = {(service, name): spec.untouched.get(service, {}).get(name) for service, name in untouched}
    open_ = [name for (_, name), reason in whys.items() if reason is None]
    excused = "; ".join(
        f"{name} stayed untouched, as declared: {reason}" for (_, name), reason in whys.items() if reason
    )
    if not open_:
        return (), ((excused,) if excused and len(untouched) == len(declared) else ())
    words = f"outputs untouched: {', '.join(open_)}"
    if len(untouched) < len(declared):
        return (), (f"{words}; of {count(len(declared), 'declared output')} the run changed others",)
    if empty := _empty(spec, tasks):
        return (), (f"{words}; taken for a date without input: {empty}",)
    return (f"{words}: the run is a success, and left nothing of what it is there for; {HINT}",), ()


def _declared(spec: DagSpec) -> Iterator[tuple[str, str]]:
    return ((service, name) for service, names in spec.outputs.items() for name in names)


def _empty(spec: DagSpec, tasks: Sequence[TaskResult]) -> str | None:
    """Return the reason why a date may be without input, when the run looks like one."""
    if spec.empty is None or spec.empty.outcome == "fail":
        return None
    skipped = any(task.state == "skipped" and task.declared is None for task in tasks)
    return None if spec.empty.outcome == "skip" and not skipped else spec.empty.reason
