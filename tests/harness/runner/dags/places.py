"""A DAG that looks for a file beside it in every way that Airflow offers."""

import os
from datetime import datetime

from airflow import settings
from airflow.configuration import conf
from airflow.sdk import DAG, task

HERE = os.path.dirname(os.path.abspath(__file__))
PARSED = settings.DAGS_FOLDER

with DAG("knows_its_folder", schedule=None, start_date=datetime(2026, 1, 1)):

    @task
    def look(ti=None):
        ways = [PARSED, settings.DAGS_FOLDER, conf.get("core", "dags_folder"), str(ti.bundle_instance.path)]
        assert ways == [HERE] * 4, ways

    look()
