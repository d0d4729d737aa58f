"""Two tasks that leave a line in a file each; the second is tried twice."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from airflow.sdk import dag, task


def mark(text: str) -> None:
    with Path(os.environ["HARNESS_MARKS"], "marks").open("a") as file:
        file.write(f"{text}\n")


@dag(schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False)
def marks():
    @task
    def first():
        mark("first")
        return 1

    @task(retries=1)
    def second(value):
        mark(f"second {value}")

    second(first())


marks()
