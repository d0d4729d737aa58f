"""DAGs that talk to the world outside: what they reach for does not exist, or is a documentation address (RFC 5737)."""

import contextlib
import socket
import subprocess
import sys
import urllib.request
from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task

START = datetime(2026, 1, 1)
#: one attempt, which does not wait for an answer
ATTEMPT = "import socket; line = socket.socket(); line.setblocking(False); line.connect_ex(('192.0.2.8', 443))"


def hook_of_a_partner():
    """Tell a partner, who need not hear it."""
    with contextlib.suppress(OSError):
        urllib.request.urlopen("http://api.partner.invalid/v1/done", timeout=1)


with DAG("calls_by_name", schedule="@daily", start_date=START, catchup=False):
    task(task_id="tell")(hook_of_a_partner)()

with DAG("calls_by_address", schedule="@daily", start_date=START, catchup=False):

    @task
    def knock():
        with socket.socket() as line:
            line.setblocking(False)
            line.connect_ex(("192.0.2.7", 8443))

    knock()

with DAG("calls_in_a_program", schedule="@daily", start_date=START, catchup=False):

    @task
    def start():
        program = "import socket; line = socket.socket(); line.settimeout(2); line.connect(('192.0.2.8', 443))"
        subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)

    start()

with DAG("stays_inside", schedule="@daily", start_date=START, catchup=False):

    @task
    def serve_oneself():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            socket.create_connection(("localhost", listener.getsockname()[1])).close()
            socket.getaddrinfo(socket.gethostname(), 80)

    serve_oneself()

with DAG("asks_for_a_name", schedule="@daily", start_date=START, catchup=False):

    @task
    def ask():
        with contextlib.suppress(OSError):
            socket.gethostbyname("api.partner.invalid")

    ask()

with DAG("calls_in_a_script", schedule="@daily", start_date=START, catchup=False):
    BashOperator(task_id="script", bash_command=f'{sys.executable} -c "{ATTEMPT}"')

with DAG("holds_a_line_open", schedule="@daily", start_date=START, catchup=False):

    @task
    def hold():
        # a program that hears nothing of the harness; its connection lasts until the task has ended
        command = [sys.executable, "-S", "-E", "-c", f"{ATTEMPT}; print(flush=True); input()"]
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE).stdout.readline()

    hold()
