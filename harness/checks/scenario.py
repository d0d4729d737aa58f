"""Which states a DAG's tasks end in, given the outcomes of some of them: trigger rules, without running anything.

The rules are those of Airflow 3 (`TriggerRuleDep`), applied when everything upstream is finished. A mapped task counts
as one task with one state. It stands with the checks, since rules ask it too; tests reach it by `harness.unit`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from harness.checks.graph import Dag, Task
from harness.environment.suggest import did_you_mean
from harness.errors import ConfigError

SUCCESS, FAILED, SKIPPED, UPSTREAM_FAILED = "success", "failed", "skipped", "upstream_failed"

Counts = Counter[str]


def _all_success(seen: Counts) -> str | None:
    if seen[FAILED] or seen[UPSTREAM_FAILED]:
        return UPSTREAM_FAILED
    return SKIPPED if seen[SKIPPED] else None


def _none_failed(seen: Counts) -> str | None:
    return UPSTREAM_FAILED if seen[FAILED] or seen[UPSTREAM_FAILED] else None


def _none_failed_min_one_success(seen: Counts) -> str | None:
    return _none_failed(seen) or (None if seen[SUCCESS] else SKIPPED)


def _one_success(seen: Counts) -> str | None:
    if seen[SUCCESS]:
        return None
    return UPSTREAM_FAILED if seen[FAILED] or seen[UPSTREAM_FAILED] else SKIPPED


def _all_done_min_one_success(seen: Counts) -> str | None:
    if seen[SKIPPED]:
        return SKIPPED
    return None if seen[SUCCESS] else UPSTREAM_FAILED


RULES: dict[str, Callable[[Counts], str | None]] = {
    "all_success": _all_success,
    "all_failed": lambda seen: SKIPPED if seen[SUCCESS] or seen[SKIPPED] else None,
    "all_done": lambda seen: None,
    "all_done_min_one_success": _all_done_min_one_success,
    "all_done_setup_success": lambda seen: None,
    "one_success": _one_success,
    "one_failed": lambda seen: None if seen[FAILED] or seen[UPSTREAM_FAILED] else SKIPPED,
    "one_done": lambda seen: None if seen[FAILED] or seen[SUCCESS] else SKIPPED,
    "none_failed": _none_failed,
    "none_failed_min_one_success": _none_failed_min_one_success,
    "none_skipped": lambda seen: SKIPPED if seen[SKIPPED] else None,
    "all_skipped": lambda seen: SKIPPED if seen[SUCCESS] or seen[FAILED] or seen[UPSTREAM_FAILED] else None,
    "always": lambda seen: None,
}
"""For each trigger rule: the state it gives a task by the counts of its upstream states, or None when it runs."""


Outcome = str | bool | Sequence[str]
"""What a task's own work comes to: a state; of a branch also the tasks that it follows, or whether it lets all run."""

OWN = (SUCCESS, FAILED, SKIPPED)


@dataclass(frozen=True)
class Scenario:
    """How a run ends.

    Args:
        states: of each task.
        run_state: of the run, which its leaves decide.
        uncertain: tasks whose state depends on which task before them ends first, and those after them: with the rule
            all_success, the first failure or skip that Airflow sees decides. Their states are those for a failure
            that is seen first.
    """

    states: Mapping[str, str]
    run_state: str
    uncertain: frozenset[str]


def scenario(dag: Dag, outcomes: Mapping[str, Outcome]) -> Scenario:
    """Return how a run ends in which some tasks do not simply succeed.

    Args:
        dag: with all its edges.
        outcomes: what the work of a task comes to if it runs; tasks that are not named succeed, branches among them
            follow all tasks.

    Raises:
        ConfigError: there is no such task, or it cannot end so.
    """
    for name, given in outcomes.items():
        _check(dag, name, given)
    states: dict[str, str] = {}
    skipped: set[str] = set()
    for task in dag.ordered():
        given = outcomes.get(task.task_id, SUCCESS)
        own = given if isinstance(given, str) and given in OWN else SUCCESS
        states[task.task_id] = SKIPPED if task.task_id in skipped else _state(dag, task, states, own)
        if task.kind == "branch" and states[task.task_id] == SUCCESS:
            skipped |= _skipped_by(dag, task, given)
    return Scenario(MappingProxyType(states), run_state(dag, states), _uncertain(dag, states, skipped))


def outcome(dag: Dag, outcomes: Mapping[str, str]) -> dict[str, str]:
    """Return each task's final state.

    Args:
        dag: with all its edges.
        outcomes: what a task's own work comes to if it runs (`failed`), or a state that is forced on it (`skipped`, as
            a branch does); tasks that are not named succeed.
    """
    states: dict[str, str] = {}
    for task in dag.ordered():
        forced = outcomes.get(task.task_id)
        states[task.task_id] = SKIPPED if forced == SKIPPED else _state(dag, task, states, forced or SUCCESS)
    return states


def _check(dag: Dag, name: str, given: Outcome) -> None:
    if name not in dag.by_id:
        raise ConfigError(f"{dag.dag_id} has no task {name!r}", hint=did_you_mean(name, dag.by_id))
    if isinstance(given, str) and given in OWN:
        return
    if dag.by_id[name].kind != "branch":
        raise ConfigError(f"{name} cannot end in {given!r}", hint=f"a task that runs ends in {', '.join(OWN)}")
    for followed in _followed(dag.by_id[name], given):
        if followed not in dag.by_id:
            raise ConfigError(f"{name} cannot follow {followed!r}", hint=did_you_mean(followed, dag.by_id))


def _followed(branch: Task, given: Outcome) -> Collection[str]:
    if isinstance(given, bool):
        return branch.downstream if given else ()
    if isinstance(given, str):
        return branch.downstream if given == SUCCESS else (given,)
    return given


def _skipped_by(dag: Dag, branch: Task, given: Outcome) -> set[str]:
    """Return what a branch skips itself: the tasks right after it that it neither follows nor leads to.

    A short circuit skips all that comes after it, or only what is right after it, but no teardowns.
    """
    followed = set(_followed(branch, given))
    deep = branch.arguments.get("ignore_downstream_trigger_rules")
    if deep is not None:
        after = dag.below(branch.task_id) if deep else branch.downstream
        return set() if followed else {name for name in after if not dag.by_id[name].teardown}
    kept = followed.union(*(dag.below(name) for name in followed))
    return set(branch.downstream) - kept


def _state(dag: Dag, task: Task, states: Mapping[str, str], own: str) -> str:
    # without the list that it is mapped over, a task cannot be expanded, whatever its trigger rule
    sources = {states[name] for name in task.mapped_over if name in states}
    if sources & {FAILED, UPSTREAM_FAILED}:
        return UPSTREAM_FAILED
    seen: Counts = Counter(states[name] for name in task.upstream if name in states)
    if not seen or task.trigger_rule == "always":
        return own
    if (given := _by_setups(dag, task, states)) is not None:
        return given
    if task.trigger_rule == "all_done_setup_success":
        setups = [states[name] for name in task.upstream if name in states and dag.by_id[name].setup]
        if setups and SUCCESS not in setups:
            return SKIPPED if set(setups) == {SKIPPED} else UPSTREAM_FAILED
        return own
    return RULES.get(task.trigger_rule, _all_success)(seen) or own


def _by_setups(dag: Dag, task: Task, states: Mapping[str, str]) -> str | None:
    """Return the state that setups further up give a task, whatever its trigger rule; None when they let it run."""
    if task.teardown:
        return None
    seen = {states[name] for name in _setups(dag, task) if name in states and name not in task.upstream}
    if seen & {FAILED, UPSTREAM_FAILED}:
        return UPSTREAM_FAILED
    return SKIPPED if SKIPPED in seen else None


def _setups(dag: Dag, task: Task) -> list[str]:
    """Return the setups that a task needs: above it, and torn down after it or never."""
    above = [name for name in dag.above(task.task_id) if dag.by_id[name].setup]
    if not above:
        return []
    below = dag.below(task.task_id)
    teardowns = {name: [n for n in dag.by_id[name].downstream if dag.by_id[n].teardown] for name in above}
    return [name for name in above if not teardowns[name] or below.intersection(teardowns[name])]


def _uncertain(dag: Dag, states: Mapping[str, str], skipped: Collection[str]) -> frozenset[str]:
    found: set[str] = set()
    for task in dag.tasks:
        direct = {states[name] for name in task.upstream if name in states}
        setups = {states[name] for name in _setups(dag, task) if name in states and name not in task.upstream}
        sides = [direct] if task.trigger_rule == "all_success" else []
        for seen in [*sides, setups]:
            if SKIPPED in seen and seen & {FAILED, UPSTREAM_FAILED} and task.task_id not in skipped:
                found |= {task.task_id, *dag.below(task.task_id)}
    return frozenset(found)


def run_state(dag: Dag, states: Mapping[str, str]) -> str:
    """Return the state that Airflow gives the run: decided by the leaves alone."""
    bad = any(states[task.task_id] in (FAILED, UPSTREAM_FAILED) for task in dag.leaves)
    return FAILED if bad else SUCCESS
