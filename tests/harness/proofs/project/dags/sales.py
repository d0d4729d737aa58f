"""Each DAG loads a day's sales into a table of its own; all but `keeps` have one fault."""

from datetime import UTC, datetime, timedelta

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk import DAG, Variable
from airflow.sdk.exceptions import AirflowSkipException

DAYS = "SELECT day, sum(amount) FROM shop WHERE day = '{day}' GROUP BY day"


def run(*statements: str, day: str = "") -> None:
    """Run the statements in one transaction."""
    PostgresHook("warehouse").run([statement.format(day=day) for statement in statements])


def sales(dag_id: str) -> DAG:
    return DAG(
        dag_id,
        schedule="@daily",
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        default_args={"retries": 1, "retry_delay": timedelta(seconds=60)},
    )


def task(name: str, *statements: str, **options):
    return PythonOperator(
        task_id=name, python_callable=run, op_args=statements, op_kwargs={"day": "{{ ds }}"}, **options
    )


def table(name: str):
    return task("prepare", f"CREATE TABLE IF NOT EXISTS {name} (day date, total int)")


with sales("keeps"):
    table("kept") >> task("load", "DELETE FROM kept WHERE day = '{day}'", f"INSERT INTO kept {DAYS}")


def skip() -> None:
    raise AirflowSkipException


with sales("skips_as_declared"):
    table("asked") >> task("load", "DELETE FROM asked WHERE day = '{day}'", f"INSERT INTO asked {DAYS}")
    PythonOperator(task_id="on_demand", python_callable=skip)

with sales("two_shops"):
    for shop in ("north", "south"):
        remove = f"DELETE FROM shops WHERE name = '{shop}' AND day = '{{day}}'"
        task(f"load_{shop}", remove, f"INSERT INTO shops SELECT '{shop}', sales.* FROM ({DAYS}) AS sales")

with sales("removes_beside"):
    removed = task("remove", "CREATE TABLE IF NOT EXISTS beside (day date)", "DELETE FROM beside")
    [removed, task("look", "SELECT 1")] >> task("load", f"INSERT INTO beside SELECT day FROM ({DAYS}) AS sales")

with sales("appends"):
    table("appended") >> task("load", f"INSERT INTO appended {DAYS}")

with sales("counts_runs"):
    table("counted") >> task(
        "load",
        "INSERT INTO counted SELECT '{day}', count(*) FROM counted HAVING NOT EXISTS "
        "(SELECT FROM counted WHERE day = '{day}')",
    )

with sales("halves"):
    (
        table("halved")
        >> task("remove", "DELETE FROM halved WHERE day = '{day}'")
        >> task("load", f"INSERT INTO halved {DAYS}")
    )


def both(*transactions: tuple[str, ...], day: str = "") -> None:
    """Make the tables in one transaction, and fill them in others."""
    run("CREATE TABLE IF NOT EXISTS heads (day date)", "CREATE TABLE IF NOT EXISTS lines (day date, total int)")
    for statements in transactions:
        run(*statements, day=day)


def load_both(*transactions: tuple[str, ...]) -> None:
    PythonOperator(task_id="load", python_callable=both, op_args=transactions, op_kwargs={"day": "{{ ds }}"})


HEADS = ("DELETE FROM heads WHERE day = '{day}'", "INSERT INTO heads SELECT '{day}'")
LINES = ("DELETE FROM lines WHERE day = '{day}'", f"INSERT INTO lines {DAYS}")

with sales("keeps_both"):
    load_both((*HEADS, *LINES))

with sales("one_by_one"):
    load_both(HEADS, LINES)

with sales("swallows"):
    load = table("swallowed") >> task("load", "DELETE FROM swallowed", "INSERT INTO swallowed VALUES ('{day}', 1)")
    load >> task("notify", "SELECT 1", trigger_rule="all_done")

with sales("wipes"):
    table("wiped") >> task(
        "load",
        "TRUNCATE wiped",
        "INSERT INTO wiped SELECT day, sum(amount) FROM shop "
        "WHERE EXISTS (SELECT FROM shop WHERE day = '{day}') GROUP BY day",
    )

with sales("latest_wins"):
    table("latest") >> task("load", "DELETE FROM latest", f"INSERT INTO latest {DAYS}")

with sales("stands_alone"):
    (
        table("alone")
        >> task("load", "DELETE FROM alone WHERE day = '{day}'", f"INSERT INTO alone {DAYS}")
        >> task("check", "SELECT 1 / (2 - count(*)) FROM alone")
    )

with sales("fails_on_the_second"):
    table("seconds") >> task("load", "SELECT 1 / (extract(day FROM date '{day}')::int - 2)")

with sales("stages_together"):
    (
        table("staged_sales")
        >> task("stage", "DROP TABLE IF EXISTS staging", f"CREATE TABLE staging AS {DAYS}")
        >> task(
            "load", "DELETE FROM staged_sales WHERE day = '{day}'", "INSERT INTO staged_sales SELECT * FROM staging"
        )
    )

with sales("stamps"):
    table("stamped") >> task(
        "load",
        "DELETE FROM stamped WHERE day = '{day}'",
        "INSERT INTO stamped SELECT '{day}', extract(year FROM now())",
    )


def tell() -> str:
    return f"signed with {Variable.get('api_token')}"


with sales("tells"):
    PythonOperator(task_id="tell", python_callable=tell)


with sales("publishes_never"):
    # as where a join hangs under one arm of a branch: all is green, and what it is there for is not done
    table("digests") >> task(
        "load",
        f"CREATE TEMP TABLE found AS {DAYS}",
        "INSERT INTO digests SELECT day, total FROM "
        "(SELECT day, sum(amount)::int AS total FROM shop GROUP BY day) AS days WHERE extract(isodow FROM day) = 8",
    )

with sales("fails_always"):
    table("refused") >> task("load", "SELECT 1 / 0")

with sales("removes_its_scratch"):
    (
        table("scratched")
        >> task("load", "DELETE FROM scratched WHERE day = '{day}'", f"INSERT INTO scratched {DAYS}")
        >> task("remove", "SELECT 1").as_teardown()
    )


def sold(day: str) -> bool:
    return bool(PostgresHook("warehouse").get_first(f"SELECT 1 FROM shop WHERE day = '{day}'"))


with sales("waits"):
    PythonSensor(task_id="wait", python_callable=sold, op_kwargs={"day": "{{ ds }}"}, poke_interval=60) >> table("late")
