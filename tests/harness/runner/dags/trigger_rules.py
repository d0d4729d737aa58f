"""DAGs that hold the prediction of trigger rules against what Airflow does; see test_scenario.py.

Only tasks that fail, skip or decide run in a process; all others are empty, and cost the scheduler next to nothing.
"""

import random
from datetime import datetime
from itertools import combinations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule, task
from airflow.sdk.exceptions import AirflowSkipException

DAILY = {"schedule": "@daily", "start_date": datetime(2025, 1, 1), "catchup": False}


@task
def fails():
    raise ValueError("on purpose")


@task
def skips():
    raise AirflowSkipException("on purpose")


with DAG("every_rule", **DAILY):
    ends = {
        "good": EmptyOperator(task_id="good"),
        "bad": fails.override(task_id="bad")(),
        "idle": skips.override(task_id="idle")(),
        "blocked": EmptyOperator(task_id="blocked"),
    }
    ends["bad"] >> ends["blocked"]
    for size in range(1, 5):
        for names in combinations(ends, size):
            for rule in TriggerRule:
                if rule != TriggerRule.ALL_DONE_SETUP_SUCCESS:
                    made = EmptyOperator(task_id=f"{rule.value}.{'-'.join(names)}", trigger_rule=rule)
                    [ends[name] for name in names] >> made


with DAG("every_branch", **DAILY):

    @task.branch
    def choose():
        return ["left"]

    @task.short_circuit
    def stop():
        return False

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def pause():
        return False

    chosen = choose()
    left, right, join = (EmptyOperator(task_id=name) for name in ("left", "right", "join"))
    lenient = EmptyOperator(task_id="lenient", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    chosen >> [left, right, join]
    left >> join
    [left, right] >> lenient
    for name, gate in (("stop", stop()), ("pause", pause())):
        near, far = EmptyOperator(task_id=f"{name}.near"), EmptyOperator(task_id=f"{name}.far")
        last = EmptyOperator(task_id=f"{name}.last", trigger_rule=TriggerRule.ALL_DONE)
        gate >> near >> far >> last


with DAG("every_setup", **DAILY):
    for name, first in (("fine", None), ("broken", fails), ("unneeded", skips)):
        begin = first.override(task_id=f"{name}.begin")() if first else EmptyOperator(task_id=f"{name}.begin")
        begin = begin.as_setup()
        work, more = EmptyOperator(task_id=f"{name}.work"), EmptyOperator(task_id=f"{name}.more")
        anyway = EmptyOperator(task_id=f"{name}.anyway", trigger_rule=TriggerRule.ALL_DONE)
        always = EmptyOperator(task_id=f"{name}.always", trigger_rule=TriggerRule.ALWAYS)
        end = EmptyOperator(task_id=f"{name}.end").as_teardown(setups=begin)
        begin >> work >> more >> anyway >> always >> end
        end >> EmptyOperator(task_id=f"{name}.after")
    two = [EmptyOperator(task_id="two.good").as_setup(), fails.override(task_id="two.bad")().as_setup()]
    needs = EmptyOperator(task_id="two.needs")
    two >> needs >> EmptyOperator(task_id="two.end").as_teardown(setups=two)


with DAG("random_graph", **DAILY):
    draw = random.Random(20260102)
    tasks = [fails.override(task_id="f0")(), skips.override(task_id="s0")(), EmptyOperator(task_id="e0")]
    rules = [rule for rule in TriggerRule if rule != TriggerRule.ALL_DONE_SETUP_SUCCESS]
    for number in range(1, 80):
        made = EmptyOperator(task_id=f"t{number}", trigger_rule=draw.choice(rules))
        draw.sample(tasks, k=min(len(tasks), draw.randint(1, 3))) >> made
        tasks.append(made)
