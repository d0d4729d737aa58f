"""Whether a task after a branch runs on the days on which it should."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.graph import Dag, Task
from harness.checks.registry import Hit, rule
from harness.checks.rules.edges import function_of, hit, is_whole, returns
from harness.checks.scenario import SKIPPED, SUCCESS, outcome
from harness.checks.source.file import SourceFile

FAMILY = "structure"


@rule("DAG011", "join-never-runs", family=FAMILY, severity="error")
def join_never_runs(dag: Dag, file: SourceFile | None) -> Iterator[Hit]:
    """A task after a branch needs all of its branches, of which one is always skipped.

    With the default rule all_success a skipped parent skips the task too: the join never runs, and the run is green.

    Bad:
        with DAG("orders", schedule=None):
            @task.branch
            def choose(ds=None):
                return "old" if ds < "2026-06-01" else "new"
            old, new = EmptyOperator(task_id="old"), EmptyOperator(task_id="new")
            join = EmptyOperator(task_id="join")  # <-
            choose() >> [old, new] >> join
    Good:
        with DAG("orders", schedule=None):
            @task.branch
            def choose(ds=None):
                return "old" if ds < "2026-06-01" else "new"
            old, new = EmptyOperator(task_id="old"), EmptyOperator(task_id="new")
            join = EmptyOperator(task_id="join", trigger_rule="none_failed_min_one_success")
            choose() >> [old, new] >> join
    Tricky:
        def pick(**context):
            if context["params"].get("old"):
                return "old"
            return "new"
        with DAG("orders", schedule=None):
            choose = BranchPythonOperator(task_id="choose", python_callable=pick)
            old, new = EmptyOperator(task_id="old"), EmptyOperator(task_id="new")
            later = EmptyOperator(task_id="later")
            join = EmptyOperator(task_id="join")  # <-
            choose >> [old, new]
            chain(old, later, join)
            new >> join
    Limits: only branches whose choices can all be seen are judged; one that may return several tasks is not.
    Source: Airflow documentation, Dags, "Trigger rules": the default must not follow a branch.
    """
    if not is_whole(dag) or file is None:
        return
    for branch in dag.tasks:
        choices = _choices(branch, dag, file)
        if not choices or len(choices) < 2:
            continue
        direct = [name for name in branch.downstream if name in dag.by_id]
        ends = [outcome(dag, _taken(dag, branch, chosen, direct)) for chosen in choices]
        for task in dag.tasks:
            after = set(task.upstream) & {name for chosen in choices for name in (chosen, *dag.below(chosen))}
            never = all(states[task.task_id] == SKIPPED for states in ends)
            if never and len(after) > 1 and task.task_id not in direct:
                message = (
                    f"the task {task.task_id!r} never runs: one of the branches of {branch.task_id!r} is always skipped"
                )
                yield hit(task, dag, message, 'trigger_rule="none_failed_min_one_success"')
                break


def _taken(dag: Dag, branch: Task, chosen: str, direct: list[str]) -> dict[str, str]:
    """Return what a branch forces: the tasks right after it that are neither chosen nor reached by the choice."""
    kept = {chosen, *dag.below(chosen)}
    return {name: SKIPPED for name in direct if name not in kept}


def _choices(branch: Task, dag: Dag, file: SourceFile) -> list[str] | None:
    """Return the task ids of which a branch follows exactly one; None when that cannot be seen."""
    if branch.kind != "branch" or branch.mapped:
        return None
    if branch.operator in ("BranchDateTimeOperator", "BranchDayOfWeekOperator"):
        arms = [branch.arguments.get(k) for k in ("follow_task_ids_if_true", "follow_task_ids_if_false")]
        return [str(a) for a in arms] if all(isinstance(a, str) and a in dag.by_id for a in arms) else None
    function = function_of(branch, file)
    if function is None or "short" in function.kind or branch.operator == "ShortCircuitOperator":
        return None
    returned = returns(function, file)
    if returned is None or any(not isinstance(value, str) for value in returned):
        return None
    names = list(dict.fromkeys(map(str, returned)))
    return names if all(name in dag.by_id for name in names) else None


@rule("DAG032", "join-under-one-arm", family=FAMILY, severity="warning")
def join_under_one_arm(dag: Dag, file: SourceFile | None) -> Iterator[Hit]:
    """A task after a branch hangs under one of its arms, and is skipped when another is chosen.

    With the default rule all_success one skipped parent is enough: what comes after both arms is left out on all other
    days, and the run is green.

    Bad:
        with DAG("orders", schedule=None):
            @task.branch
            def choose(day=None):
                return "weekly" if day == 7 else "daily"
            weekly, daily = EmptyOperator(task_id="weekly"), EmptyOperator(task_id="daily")
            join = EmptyOperator(task_id="join", trigger_rule="none_failed_min_one_success")
            tidy = EmptyOperator(task_id="tidy")
            publish = EmptyOperator(task_id="publish")  # <-
            choose() >> [weekly, daily] >> join >> publish
            weekly >> tidy >> publish
    Good:
        with DAG("orders", schedule=None):
            @task.branch
            def choose(day=None):
                return "weekly" if day == 7 else "daily"
            weekly, daily = EmptyOperator(task_id="weekly"), EmptyOperator(task_id="daily")
            join = EmptyOperator(task_id="join", trigger_rule="none_failed_min_one_success")
            tidy = EmptyOperator(task_id="tidy")
            publish = EmptyOperator(task_id="publish", trigger_rule="none_failed_min_one_success")
            choose() >> [weekly, daily] >> join >> publish
            weekly >> tidy >> publish
    Tricky:
        def pick(**context):
            return context["params"]["arm"]
        with DAG("orders", schedule=None):
            choose = BranchPythonOperator(task_id="choose", python_callable=pick)
            clean = EmptyOperator(task_id="clean")
            publish = EmptyOperator(task_id="publish")  # <-
            choose >> [clean, publish]
            clean >> publish
    Limits: a task that waits for one arm and for a task beside the branch is reported only where the DAG ends in it
        alone; short circuits are left out, since they skip what they should.
    Source: Airflow documentation, Dags, "Trigger rules": the default must not follow a branch.
    """
    if not is_whole(dag) or any(not task.knows("trigger_rule") for task in dag.tasks):
        return
    told: set[str] = set()
    for branch in dag.tasks:
        if branch.kind != "branch" or branch.mapped or branch.operator in _CIRCUITS or "short" in branch.operator:
            continue
        direct = [name for name in branch.downstream if name in dag.by_id]
        seen = _choices(branch, dag, file) if file is not None else None
        chosen = [name for name in seen or direct if name in dag.by_id]
        ends: dict[str, dict[str, str]] = {
            repr(name): outcome(dag, _taken(dag, branch, name, direct)) for name in chosen
        }
        if seen is None and len(direct) == 1:
            ends["nothing"] = outcome(dag, dict.fromkeys(direct, SKIPPED))
        for task in dag.tasks if len(ends) > 1 else ():
            if task.task_id not in told and (found := _under_one_arm(dag, branch, task, ends)):
                told.add(task.task_id)
                arm, choice = found
                when = f"is skipped when {branch.task_id!r} chooses {choice}"
                message = f"the task {task.task_id!r} {when}: it waits for {arm!r}"
                yield hit(task, dag, message, 'trigger_rule="none_failed_min_one_success"')


_CIRCUITS = ("ShortCircuitOperator", "LatestOnlyOperator")


def _under_one_arm(dag: Dag, branch: Task, task: Task, ends: dict[str, dict[str, str]]) -> tuple[str, str] | None:
    """Return the skipped parent that takes a join with it, and the choice with which that happens."""
    runs = [name for name, states in ends.items() if states[task.task_id] == SUCCESS]
    direct = task.task_id in branch.downstream
    before = dag.above(branch.task_id) | {branch.task_id}
    for choice, states in ends.items():
        if states[task.task_id] != SKIPPED or not runs or (direct and choice != repr(task.task_id)):
            continue
        parents = [name for name in task.upstream if name in states and name not in before]
        skipped = [name for name in parents if states[name] == SKIPPED]
        after = dag.below(branch.task_id)
        ran = [name for name in parents if states[name] == SUCCESS and (name in after or _is_end(dag, task))]
        if skipped and (ran or direct):
            return skipped[0], choice
    return None


def _is_end(dag: Dag, task: Task) -> bool:
    """Whether the DAG ends in this task alone, besides placeholders."""
    return [leaf.task_id for leaf in dag.leaves if leaf.kind != "empty" or leaf is task] == [task.task_id]
