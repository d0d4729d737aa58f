"""Which states a DAG's tasks end in, given the outcomes of some of them: trigger rules, without running anything.

The rules are those of Airflow 3 (`TriggerRuleDep`), applied when everything upstream is finished.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from harness.checks.graph import Dag, Task

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


def _state(dag: Dag, task: Task, states: Mapping[str, str], own: str) -> str:
    seen: Counts = Counter(states[name] for name in task.upstream if name in states)
    if not seen:
        return own
    if task.trigger_rule == "all_done_setup_success":
        setups = [states[name] for name in task.upstream if name in states and dag.by_id[name].setup]
        if setups and SUCCESS not in setups:
            return SKIPPED if set(setups) == {SKIPPED} else UPSTREAM_FAILED
        return own
    return RULES.get(task.trigger_rule, _all_success)(seen) or own


def run_state(dag: Dag, states: Mapping[str, str]) -> str:
    """Return the state that Airflow gives the run: decided by the leaves alone."""
    bad = any(states[task.task_id] in (FAILED, UPSTREAM_FAILED) for task in dag.leaves)
    return FAILED if bad else SUCCESS
