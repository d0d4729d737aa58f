"""A DAG that looks for a file beside it in every way that Airflow offers."""

from datetime import datetime
from pathlib import Path

from airflow import settings
from airflow.configuration import conf
from airflow.sdk import DAG, task

HERE = str(Path(__file__).resolve().parent)
PARSED = settings.DAGS_FOLDER

with DAG("knows_its_folder", schedule=None, start_date=datetime(2026, 1, 1)):

    @task
    def look(ti=None):
        ways = [PARSED, settings.DAGS_FOLDER, conf.get("core", "dags_folder"), str(ti.bundle_instance.path)]
        assert ways == [HERE] * 4, ways

    look()
