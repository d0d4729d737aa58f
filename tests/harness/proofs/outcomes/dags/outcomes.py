"""Each DAG pays a partner, or writes to the desk, once a day; some do it once too often or too early."""

from datetime import datetime, timedelta
from uuid import uuid4

from airflow.providers.http.hooks.http import HttpHook
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import DAG, task


def daily(dag_id):
    return DAG(
        dag_id,
        schedule="@daily",
        start_date=datetime(2026, 1, 1),
        catchup=False,
        default_args={"retries": 1, "retry_delay": timedelta(seconds=30)},
    )


def pay(key="{{ ds }}"):
    return HttpOperator(
        task_id="pay",
        http_conn_id="payments",
        method="POST",
        endpoint="/v1/payouts",
        data='{"day": "{{ ds }}", "eur": 100}',
        headers={"Idempotency-Key": key},
    )


def mail():
    return EmailOperator(
        task_id="mail", conn_id="mail", to="desk@example.org", subject="Paid {{ ds }}", html_content="100 EUR"
    )


@task
def check():
    """Refuse a day that does not add up."""


with daily("pays_with_its_own_key"):
    pay()

with daily("pays_with_a_new_key"):

    @task
    def pay_anew(ds=None):
        hook = HttpHook(method="POST", http_conn_id="payments")
        hook.run("/v1/payouts", json={"day": ds, "eur": 100}, headers={"Idempotency-Key": str(uuid4())})

    pay_anew()

with daily("pays_and_logs_in"):
    HttpOperator(task_id="log_in", http_conn_id="payments", method="POST", endpoint="/login", data="{}") >> pay()

with daily("pays_before_the_check"):
    pay() >> check()

with daily("pays_after_the_check"):
    check() >> pay()

with daily("puts_what_it_is"):
    HttpOperator(
        task_id="put", http_conn_id="payments", method="PUT", endpoint="/v1/days/{{ ds }}", data='{"eur": 100}'
    )

with daily("mails_before_the_check"):
    mail() >> check()

with daily("mails_after_the_check"):
    check() >> mail()
