"""Defects put mechanically into good DAG files: each mutator makes one, and names the rule that must see it."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.checks.source.file import SourceFile

IMPORTS = "import datetime as _dt\nimport time as _time\nimport random as _random\nimport pickle as _pickle\n"


@dataclass(frozen=True)
class Mutant:
    rule: str
    source: str
    text: str


Mutate = Callable[[ast.Module, SourceFile], bool]
MUTATORS: dict[str, list[Mutate]] = {}


def mutator(rule: str) -> Callable[[Mutate], Mutate]:
    def register(function: Mutate) -> Mutate:
        MUTATORS.setdefault(rule, []).append(function)
        return function

    return register


def mutants_of(name: str, text: str) -> Iterator[Mutant]:
    """Yield every mutant of one file."""
    plain = ast.unparse(ast.parse(text))
    for rule, functions in MUTATORS.items():
        for function in functions:
            tree = ast.parse(plain)
            if function(tree, SourceFile(name, plain)):
                place = next(
                    (
                        n
                        for n, s in enumerate(tree.body)
                        if not isinstance(s, ast.ImportFrom) or s.module != "__future__"
                    ),
                    0,
                )
                first = tree.body[0] if tree.body else None
                place = max(place, 1) if isinstance(first, ast.Expr) and place == 0 else place
                if place == 1 and len(tree.body) > 1 and getattr(tree.body[1], "module", "") == "__future__":
                    place = 2
                tree.body[place:place] = ast.parse(IMPORTS).body
                yield Mutant(rule, name, ast.unparse(ast.fix_missing_locations(tree)))


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def statements(text: str) -> list[ast.stmt]:
    return ast.parse(text).body


def at_line(tree: ast.Module, line: int, column: int) -> ast.Call | None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (node.lineno, node.col_offset) == (line, column):
            return node
    return None


def dag_calls(tree: ast.Module, file: SourceFile) -> list[ast.Call]:
    found = [at_line(tree, dag.node.lineno, dag.node.col_offset) for dag in file.declared.dags]
    return [node for node in found if node is not None]


def operator_calls(tree: ast.Module, file: SourceFile, *names: str) -> list[ast.Call]:
    wanted = [
        t for t in file.tasks if not t.decorated and not t.expanded and (not names or t.operator in names) and t.dag
    ]
    found = [at_line(tree, task.node.lineno, task.node.col_offset) for task in wanted]
    return [node for node in found if node is not None]


def task_functions(tree: ast.Module, file: SourceFile) -> list[ast.FunctionDef]:
    lines = {f.node.lineno for f in file.functions("task") if f.role == "task" and f.kind in ("", "branch")}
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.lineno in lines]


def set_keyword(call: ast.Call, name: str, value: str) -> bool:
    call.keywords = [k for k in call.keywords if k.arg != name]
    call.keywords.append(ast.keyword(name, expression(value)))
    return True


def change_first(calls: list[ast.Call], name: str, value: str) -> bool:
    return bool(calls) and set_keyword(calls[0], name, value)


def into_task(tree: ast.Module, file: SourceFile, code: str) -> bool:
    functions = task_functions(tree, file)
    if functions:
        body = functions[0].body
        place = 1 if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) else 0
        body[place:place] = statements(code)
    return bool(functions)


def at_top(tree: ast.Module, file: SourceFile, code: str) -> bool:
    tree.body += statements(code)
    return True


def bash(tree: ast.Module, file: SourceFile, addition: str) -> bool:
    for call in operator_calls(tree, file, "BashOperator"):
        for keyword in call.keywords:
            if keyword.arg == "bash_command" and isinstance(keyword.value, ast.Constant):
                if str(keyword.value.value).endswith((".sh", ".sh ")):
                    continue
                keyword.value = expression(f"{keyword.value.value!r} + {addition}")
                return True
    return False


def simple(rule: str, function: Callable[..., bool], *arguments: str) -> None:
    mutator(rule)(lambda tree, file: function(tree, file, *arguments))


def on_dag(rule: str, name: str, value: str) -> None:
    mutator(rule)(lambda tree, file: change_first(dag_calls(tree, file), name, value))


def on_task(rule: str, name: str, value: str, *operators: str) -> None:
    mutator(rule)(lambda tree, file: change_first(operator_calls(tree, file, *operators), name, value))


on_dag("DAG103", "start_date", "_dt.datetime.now() - _dt.timedelta(days=1)")
on_dag("DAG108", "schedule", "'61 * * * *'")
on_dag("DAG108", "schedule", "'0 0 * * MON, WED'")
on_dag("DAG601", "sla_miss_callback", "print")
on_dag("DAG604", "schedule_interval", "'@daily'")
on_dag("DAG604", "concurrency", "3")
on_dag("DAG020", "dag_id", "'two words'")
on_dag("DAG019", "dag_id", "f'orders_{_random.random()}'")
on_dag("DAG213", "on_failure_callback", "lambda: None")
on_dag("DAG501", "default_args", "{'api_token': 'f9a8-77c1-secret'}")

on_task("DAG601", "sla", "_dt.timedelta(hours=1)")
on_task("DAG605", "task_concurrency", "1")
on_task("DAG605", "provide_context", "True", "PythonOperator")
on_task("DAG023", "trigger_rule", "'all_sucess'")
on_task("DAG019", "task_id", "f'load_{_dt.datetime.now():%s}'")
on_task("DAG020", "task_id", "'load orders'")
on_task("DAG303", "env", "{'DAY': str(_dt.date.today())}", "BashOperator")
on_task("DAG501", "env", "{'DB_PASSWORD': 'hunter2-prod'}", "BashOperator")
on_task("DAG608", "email_on_failure", "True")
on_task("DAG213", "on_retry_callback", "lambda: None")
on_task("DAG212", "execution_timeout", "_dt.timedelta(seconds=1)", "PythonSensor", "FileSensor", "BashSensor")

simple("DAG021", bash, "' > /data/{ds}.json'")
simple("DAG022", bash, "' {{ ds }'")
simple("DAG302", bash, "' {{ macros.datetime.now() }}'")
simple("DAG303", bash, "f' {_dt.date.today()}'")
simple("DAG603", bash, "' {{ execution_date }}'")
simple("DAG603", bash, "' {{ next_ds }}'")
simple("DAG503", bash, "' {{ dag_run.conf[\"name\"] }}'")
simple("DAG307", bash, "' > /tmp/orders.json'")
simple("DAG502", bash, "' {{ conn.warehouse.password }}'")

simple(
    "DAG401",
    at_top,
    "from airflow.models import Variable as V\ndef region():\n    return V.get('region', 'eu')\nR = region()",
)
simple(
    "DAG402",
    at_top,
    "from airflow.sdk import BaseHook as B\ntry:\n    C = B.get_connection('x').host\nexcept Exception:\n    C = ''",
)
simple(
    "DAG403",
    at_top,
    "import requests\ntry:\n    T = requests.get('http://127.0.0.1:9', timeout=0.1)\nexcept OSError:\n    T = None",
)
simple("DAG404", at_top, "import sqlite3\nR = sqlite3.connect(':memory:').execute('select 1').fetchall()")
simple("DAG407", at_top, "def settle():\n    _time.sleep(0)\nsettle()")
simple("DAG406", at_top, "import pandas as pd")
simple(
    "DAG408",
    at_top,
    "def leave():\n    import os\n    os.getpid() or os._exit(1)\nleave()",
)
simple("DAG006", at_top, "from airflow.sdk import DAG as D\nD('same', schedule=None)\nD('same', schedule='@daily')")
simple("DAG008", at_top, "from airflow.sdk import dag as d\n@d(schedule=None)\ndef never():\n    pass")

simple("DAG208", into_task, "import requests\nrequests.get('https://example.com').raise_for_status()")
simple("DAG209", into_task, "import requests\nrows = requests.get('https://example.com', timeout=5).json()")
simple(
    "DAG504",
    into_task,
    "import requests\nrequests.get('https://example.com', timeout=5, verify=False).raise_for_status()",
)
simple("DAG301", into_task, "day = _dt.datetime.now().date().isoformat()\nprint_day = day + '.json'")
simple("DAG306", into_task, "chosen = _random.choice([1, 2, 3])")
simple("DAG505", into_task, "data = _pickle.loads(b'')")
simple("DAG507", into_task, "import json\nvalue = eval(json.loads('\"1\"'))")
simple("DAG207", into_task, "try:\n    int('x')\nexcept Exception:\n    print('never mind')")
simple(
    "DAG606", into_task, "from airflow.utils.session import create_session\nwith create_session() as s:\n    s.flush()"
)
simple(
    "DAG607", into_task, "from airflow.sdk import get_current_context\nget_current_context()['ti'].xcom_pull(key='x')"
)
simple("DAG210", into_task, "import subprocess\nsubprocess.run(['true'])")
simple("DAG211", into_task, "while not _random:\n    _time.sleep(5)")
simple("DAG305", into_task, "with open('/data/all.csv', 'a') as stream:\n    stream.write('x')")
simple("DAG510", into_task, "from airflow.sdk import BaseHook\nprint(BaseHook.get_connection('x').password)")


@mutator("DAG109")
def end_before_the_start(tree: ast.Module, file: SourceFile) -> bool:
    calls = [call for call in dag_calls(tree, file) if any(k.arg == "start_date" for k in call.keywords)]
    return change_first(calls, "end_date", "_dt.datetime(1960, 1, 1)")


@mutator("DAG603")
def take_execution_date(tree: ast.Module, file: SourceFile) -> bool:
    functions = task_functions(tree, file)
    if functions:
        functions[0].args.kwonlyargs.append(ast.arg("execution_date"))
        functions[0].args.kw_defaults.append(ast.Constant(None))
    return bool(functions)


@mutator("DAG012")
def mask_failures(tree: ast.Module, file: SourceFile) -> bool:
    """Let the only leaf run whatever happened."""
    for dag in file.dags:
        leaves = [task for task in dag.leaves if task.upstream]
        lines = {task.line for task in file.tasks if not task.decorated and not task.expanded}
        workers = [t for t in dag.tasks if t.kind != "empty" and t.downstream]
        if dag.complete and len(dag.leaves) == 1 and leaves and leaves[0].line in lines and workers:
            call = at_line(tree, leaves[0].line, leaves[0].column - 1)
            return call is not None and set_keyword(call, "trigger_rule", "'all_done'")
    return False


@mutator("DAG011")
def forget_the_rule_of_a_join(tree: ast.Module, file: SourceFile) -> bool:
    found = False
    for call in operator_calls(tree, file):
        for keyword in list(call.keywords):
            if keyword.arg == "trigger_rule" and "none_failed_min" in ast.unparse(keyword.value).lower():
                call.keywords.remove(keyword)
                found = True
    branches = [t for dag in file.dags for t in dag.tasks if "Branch" in t.operator]
    return found and bool(branches) and "DateTime" in branches[0].operator


@mutator("DAG005")
def close_a_circle(tree: ast.Module, file: SourceFile) -> bool:
    """Turn the first `a >> b` between two names round as well."""
    for parent in ast.walk(tree):
        for body in (getattr(parent, "body", None), getattr(parent, "orelse", None)):
            for number, statement in enumerate(body if isinstance(body, list) else []):
                value = statement.value if isinstance(statement, ast.Expr) else None
                if isinstance(value, ast.BinOp) and isinstance(value.op, ast.RShift):
                    names = [value.left, value.right]
                    if all(isinstance(n, ast.Name) for n in names) and any(d.complete for d in file.dags):
                        back = ast.BinOp(copy.deepcopy(value.right), ast.RShift(), copy.deepcopy(value.left))
                        body.insert(number + 1, ast.Expr(back))
                        return True
    return False


@mutator("DAG007")
def use_an_id_twice(tree: ast.Module, file: SourceFile) -> bool:
    calls = operator_calls(tree, file)
    by_dag = [
        [t for t in file.tasks if t.dag is dag and not t.decorated and not t.groups and t.certain and t.name]
        for dag in file.declared.dags
    ]
    for tasks in by_dag:
        if len(tasks) >= 2:
            call = at_line(tree, tasks[1].node.lineno, tasks[1].node.col_offset)
            return call in calls and set_keyword(call, "task_id", repr(tasks[0].name))  # type: ignore[arg-type]
    return False


@mutator("DAG203")
def drop_the_timeout_of_a_sensor(tree: ast.Module, file: SourceFile) -> bool:
    for call in operator_calls(tree, file):
        names = {k.arg for k in call.keywords}
        if "timeout" in names and "Sensor" in ast.unparse(call.func):
            call.keywords = [k for k in call.keywords if k.arg != "timeout"]
            return True
    return False


@mutator("DAG201")
def drop_the_retries(tree: ast.Module, file: SourceFile) -> bool:
    found = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found |= any(k.arg == "retries" for k in node.keywords)
            node.keywords = [k for k in node.keywords if k.arg != "retries"]
        elif isinstance(node, ast.Dict):
            pairs = [
                (k, v) for k, v in zip(node.keys, node.values, strict=True) if getattr(k, "value", None) != "retries"
            ]
            found |= len(pairs) < len(node.keys)
            node.keys, node.values = [k for k, _ in pairs], [v for _, v in pairs]
    return found


@mutator("DAG202")
def drop_the_execution_timeout(tree: ast.Module, file: SourceFile) -> bool:
    found = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found |= any(k.arg == "execution_timeout" for k in node.keywords)
            node.keywords = [k for k in node.keywords if k.arg != "execution_timeout"]
    return found


@mutator("DAG015")
def misspell_a_pulled_task(tree: ast.Module, file: SourceFile) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "xcom_pull":
            for keyword in node.keywords:
                if keyword.arg == "task_ids" and isinstance(keyword.value, ast.Constant):
                    keyword.value = ast.Constant(f"{keyword.value.value}_")
                    return True
    return False
