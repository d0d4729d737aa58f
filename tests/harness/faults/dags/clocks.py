"""Tasks that say what time it is."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime

from airflow.sdk import dag, task

SLEEPS = "import time; time.sleep(0.01); print(int(time.time()))"


@dag(schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False)
def clocks():
    @task(retries=1)
    def look():
        shown = subprocess.run(["date", "+%s"], capture_output=True, text=True, check=True).stdout
        slept = subprocess.run([sys.executable, "-c", SLEEPS], capture_output=True, text=True, check=True).stdout
        seen = {"now": datetime.now(UTC).timestamp(), "time": time.time()}
        return seen | {"program": int(shown), "python": int(slept)}

    @task.sensor(poke_interval=1, timeout=60)
    def wait():
        return True

    wait() >> look()


clocks()
