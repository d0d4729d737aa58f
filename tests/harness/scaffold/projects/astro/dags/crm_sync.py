"""Customers to the CRM; its provider is not installed everywhere."""

from datetime import datetime

from airflow.providers.salesforce.hooks.salesforce import SalesforceHook
from airflow.sdk import dag, task


@dag(schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False)
def crm_sync():
    @task
    def push():
        SalesforceHook("crm").get_conn()

    push()


crm_sync()
