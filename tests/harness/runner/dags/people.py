"""DAGs that ask a person."""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import (
    ApprovalOperator,
    HITLBranchOperator,
    HITLEntryOperator,
)
from airflow.sdk import DAG, Param

DAILY = {"schedule": "@daily", "start_date": datetime(2025, 1, 1), "catchup": False}

with DAG("asks_for_approval", **DAILY):
    (
        EmptyOperator(task_id="draft")
        >> ApprovalOperator(task_id="approve", subject="Pay out {{ ds }}?")
        >> EmptyOperator(task_id="pay")
    )

with DAG("asks_for_more", **DAILY):
    choose = HITLBranchOperator(task_id="choose", subject="Which way?", options=["left", "right"])
    choose >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")]
    HITLEntryOperator(task_id="enter", subject="How many?", params={"rows": Param(1, type="integer"), "unit": "kg"})

with DAG("takes_its_default", **DAILY):
    approve = ApprovalOperator(
        task_id="approve", subject="Go on?", defaults="Approve", response_timeout=timedelta(seconds=60)
    )
    approve >> EmptyOperator(task_id="go")
