"""Whether secrets stay secret, and peers are who they say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from harness.checks.registry import Hit, at, rule
from harness.checks.rules.templates import arguments
from harness.checks.rules.words import SECRET_NAME
from harness.checks.source.file import Call, SourceFile
from harness.checks.source.templates import is_template, read_template
from harness.checks.source.values import HOLE

FAMILY = "security"
_HINT = "keep it in a connection or a secrets backend"
_PLACEHOLDER = re.compile(
    r"^$|^[<\[{(%$*x.]|^\*+$|^(none|null|true|false|password|secret|token|changeme|your[-_ ].*|example.*)$",
    re.IGNORECASE,
)
_KEYS = re.compile(
    r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN (RSA |EC |OPENSSH |DSA )?PRIVATE KEY-----|\bghp_[0-9A-Za-z]{36}\b"
    r"|\bxox[abpr]-[0-9A-Za-z-]{20,}\b|\bsk_live_[0-9A-Za-z]{20,}\b|\bAIza[0-9A-Za-z_-]{35}\b"
)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s:/@{}$<\ufffc]+:([^\s:/@{}$<\ufffc]{3,})@[\w.-]+")
_NOT_VALUES = ("_id", "_name", "_path", "_file", "_key_id", "_url", "_field", "_header", "_column", "_env", "_var")


@rule("DAG501", "literal-secret", family=FAMILY, severity="error")
def literal_secret(file: SourceFile) -> Iterator[Hit]:
    """A password, key or token stands in the code.

    It is in the repository, in every copy of it, and in Airflow's rendered fields, for ever.

    Bad:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load", env={"DB_PASSWORD": "hunter2-prod"})  # <-
    Good:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load", env={"DB_CONN": "warehouse"})
    Tricky:
        USER, HOST = "etl", "db.internal"
        URL = f"postgresql://{USER}:hunter2-prod@{HOST}/warehouse"  # <-
    Limits: values that look like placeholders are left out; so are names that end in _id, _path, _name and the like.
    Source: "Data Pipelines with Apache Airflow", chapter 11; CWE-798.
    """
    seen: set[int] = set()
    for name, node in _named_values(file):
        text = file.values.text(node) if not isinstance(node, ast.Name) else None
        if text is not None and SECRET_NAME.search(name) and _looks_secret(text) and node.lineno not in seen:
            seen.add(node.lineno)
            yield at(node, f"{name} is a secret in the code", _HINT)
    for node in [*file.of_type(ast.Constant), *file.of_type(ast.JoinedStr)]:
        content: object = node.value if isinstance(node, ast.Constant) else file.value(node)
        if not isinstance(content, str) or node.lineno in seen or len(content) > 20_000 or _is_docstring(file, node):
            continue
        match = _URL.search(content)
        if _KEYS.search(content) or (match and not _PLACEHOLDER.match(match[1])):
            seen.add(node.lineno)
            yield at(node, "a URL with a password" if match else "a private key or token stands in the code", _HINT)


def _named_values(file: SourceFile) -> Iterator[tuple[str, ast.expr]]:
    """Yield what is given a name: arguments, entries of dicts, variables, defaults."""
    for node in file.names.nodes:
        match node:
            case ast.keyword(arg=str(name), value=value):
                # a Secret of Kubernetes is named, not told
                if not (name == "secret" and _is_kubernetes_secret(file, node)):
                    yield name, value
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield key.value, value
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=str(name)))], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _is_kubernetes_secret(file: SourceFile, keyword: ast.keyword) -> bool:
    call = file.names.parents.get(keyword)
    return isinstance(call, ast.Call) and (file.resolve(call.func) or ast.unparse(call.func)).endswith("Secret")


def _looks_secret(text: str) -> bool:
    if len(text) < 4 or _PLACEHOLDER.match(text) or HOLE in text or "{{" in text or " " in text.strip():
        return False
    return not re.fullmatch(r"[a-z_]+(\.[a-z_]+)+|/[\w./-]+|[A-Z_]+", text)


def _is_docstring(file: SourceFile, node: ast.AST) -> bool:
    return isinstance(file.names.parents.get(node), ast.Expr)


@rule("DAG502", "secret-in-template", family=FAMILY, severity="warning")
def secret_in_template(file: SourceFile) -> Iterator[Hit]:
    """A secret is rendered into a command or an argument.

    Rendered fields are stored and shown; a command line is visible to every process of the machine.

    Bad:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load --password {{ conn.warehouse.password }}")  # <-
    Good:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load", env={"PGPASSWORD": "{{ conn.warehouse.password }}"})
    Tricky:
        SECRET = "{{ var.value.get('api_token') }}"
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load " + SECRET)  # <-
    Limits: an environment variable of the command is accepted: it is masked, and not on the command line.
    Source: Airflow documentation, "Masking sensitive data".
    """
    for task in file.tasks:
        for name, _, text in arguments(task):
            if name != "env" and is_template(text) and (what := _secret_chain(text)):
                yield at(
                    task, f"{name}: {what} is rendered into it", "pass it as env, or let the hook read the connection"
                )
                break


def _secret_chain(text: str) -> str | None:
    from harness.checks.source.templates import calls_in

    for chain in sorted(read_template(text).chains):
        parts = chain.split(".")
        if parts[0] == "conn" and parts[-1] in ("password", "get_uri", "get_uri()", "extra"):
            return chain
        if parts[0] == "var" and len(parts) > 2 and SECRET_NAME.search(parts[-1]):
            return chain
    for chain, key in calls_in(text):
        if chain.startswith("var.") and SECRET_NAME.search(key):
            return f"{chain}({key!r})"
    return None


@rule("DAG504", "unverified-tls", family=FAMILY, severity="error")
def unverified_tls(file: SourceFile) -> Iterator[Hit]:
    """A server's certificate is not checked.

    Anybody between the two can read and change what is sent, credentials included.

    Bad:
        import requests
        @task
        def load():
            return requests.get("https://example.com/orders", timeout=5, verify=False).ok  # <-
    Good:
        import requests
        @task
        def load():
            return requests.get("https://example.com/orders", timeout=5, verify="/etc/ssl/company.pem").ok
    Tricky:
        import httpx
        OPTIONS = {"verify": False, "timeout": 5}
        def client():
            return httpx.Client(**OPTIONS)  # <-
    Limits: a value that is not constant is not judged.
    Source: CWE-295; ruff S501.
    """
    for call in file.calls:
        library = call.name.startswith(("requests.", "httpx.", "boto3.", "aiohttp.", "urllib3.", "botocore."))
        if library and call.value("verify") is False:
            yield at(call, "the server's certificate is not checked", "verify=True, or the path of the CA")
        elif call.name in ("ssl._create_unverified_context",) or (library and call.value("ssl") is False):
            yield at(call, "the server's certificate is not checked", "ssl.create_default_context(cafile=...)")
    for node in file.of_type(ast.Assign):
        for target in node.targets:
            off = isinstance(target, ast.Attribute) and target.attr == "verify" and file.value(node.value) is False
            if off and file.resolve(target).startswith(("requests.", "httpx.")):
                yield at(node, "the server's certificate is not checked", "the path of the CA")


@rule("DAG505", "unpickle", family=FAMILY, severity="warning")
def unpickle(file: SourceFile) -> Iterator[Hit]:
    """Data is unpickled.

    Unpickling runs whatever code its author put into it: whoever can write the object can run code on the worker.

    Bad:
        import pickle
        @task
        def predict(path):
            with open(path, "rb") as stream:
                return pickle.load(stream)  # <-
    Good:
        import json
        @task
        def predict(path):
            with open(path) as stream:
                return json.load(stream)
    Tricky:
        from pandas import read_pickle as read
        @task
        def predict(path):
            return read(path).sum()  # <-
    Limits: where the data comes from is not known; suppress it, with the reason, for files that only the DAG writes.
    Source: Python documentation, pickle, warning; "Data Pipelines with Apache Airflow", chapter 7.
    """
    names = {"pickle.load", "pickle.loads", "dill.load", "dill.loads", "cloudpickle.load", "cloudpickle.loads"}
    names |= {"joblib.load", "pandas.read_pickle", "shelve.open", "torch.load", "marshal.loads"}
    for call in file.calls:
        if call.name in names and not (call.name == "torch.load" and call.value("weights_only") is True):
            yield at(call, f"{call.name} runs code that the data contains", "use JSON, Parquet, or a format of its own")


@rule("DAG507", "unsafe-eval", family=FAMILY, severity="error")
def unsafe_eval(file: SourceFile) -> Iterator[Hit]:
    """Text is run as code.

    Whoever can change the text can run code. `yaml.load` without a safe loader does the same.

    Bad:
        import yaml
        from pathlib import Path
        SOURCES = yaml.load(Path(__file__).with_suffix(".yaml").read_text(), Loader=yaml.Loader)  # <-
    Good:
        import yaml
        from pathlib import Path
        SOURCES = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
    Tricky:
        from yaml import load as read
        @task
        def sources(text):
            return read(text)  # <-
    Limits: `eval` and `exec` of a constant are left out; so is yaml.FullLoader: since PyYAML 5.4 it makes no objects.
    Source: CWE-94, CWE-502; ruff S307, S506.
    """
    safe = ("SafeLoader", "CSafeLoader", "BaseLoader", "CBaseLoader", "FullLoader")
    for call in file.calls:
        if call.name in ("yaml.load", "yaml.load_all", "ruamel.yaml.load"):
            loader = call.expression("Loader", 1)
            name = file.resolve(loader) if loader is not None else "" if call.states("Loader") else "yaml.Loader"
            if name.startswith("yaml.") and not name.endswith(safe):
                yield at(call, f"{call.method} builds any object that the text names", "yaml.safe_load(...)")
        elif call.name in ("eval", "exec", "yaml.unsafe_load") and not _constant(call):
            yield at(call, f"{call.method}(...) runs text as code", "parse it: json, ast.literal_eval, yaml.safe_load")


def _constant(call: Call) -> bool:
    return bool(call.node.args) and call.file.is_known(call.node.args[0])


@rule("DAG510", "secret-leaves-task", family=FAMILY, severity="warning")
def secret_leaves_task(file: SourceFile) -> Iterator[Hit]:
    """A task prints or returns a connection's secret.

    It is then in the log, or as an XCom in the database, for everybody who may look at the DAG.

    Bad:
        @task
        def load():
            connection = BaseHook.get_connection("warehouse")
            print(connection.get_uri())  # <-
    Good:
        @task
        def load():
            connection = BaseHook.get_connection("warehouse")
            print(connection.host)
    Tricky:
        def secret():
            found = BaseHook.get_connection("warehouse")
            return found.password  # <-
        with DAG("orders", schedule=None):
            PythonOperator(task_id="load", python_callable=secret)
    Limits: only values of connections; a secret that is passed on through other variables is not followed.
    Source: Airflow documentation, "Masking sensitive data": XComs are not masked.
    """
    loud = ("print", "info", "debug", "warning", "error", "exception", "xcom_push")
    for node in file.of_type(ast.Attribute):
        if node.attr not in ("password", "get_uri", "extra_dejson", "get_password") or "task" not in file.code.moments(
            node
        ):
            continue
        if not re.search(r"(get_connection|Connection\.get|get_conn_value)\(\)$", file.resolve(node.value)):
            continue
        for parent in file.names.ancestors(node):
            if isinstance(parent, ast.Return) and _is_task(file, node):
                yield at(node, "a connection's secret is returned: it becomes an XCom", "return what is not secret")
            if isinstance(parent, ast.Call) and parent.func is not node and _name(parent) in loud:
                yield at(node, f"a connection's secret is given to {_name(parent)}", "leave it out")
            if isinstance(parent, ast.stmt):
                break


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_task(file: SourceFile, node: ast.AST) -> bool:
    function = file.code.around(node)
    return function is not None and (function.role == "task" or any(t.runs is function for t in file.tasks))
