"""What the code of a project names: connections, variables and their defaults, buckets, topics, databases.

It is read, not run: DAG files, the modules that they use, the scripts that they name, and SQL files.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from harness.checks.project import Project
from harness.checks.run import module_name
from harness.checks.source.file import Call, SourceFile
from harness.checks.source.values import HOLE, known

_VARIABLE_GET: Final = "airflow.sdk.Variable.get"
_CONN = re.compile(r"^(?:(?P<kind>\w+?)_)?conn(?:ection)?_id$")
_BUCKET = re.compile(r"^(?:\w+_)?bucket(?:_name)?$", re.IGNORECASE)
_TOPIC = re.compile(r"^(?:\w+_)?topics?$")
_STORE = re.compile(r"\bs3[an]?://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?=/|$)")
_DATABASE_URI = re.compile(r"\bpostgres(?:ql)?(?:\+\w+)?://[^\s/'\"]+/([a-z_][a-z0-9_]*)")
_TEMPLATED = re.compile(r"^\s*\{\{\s*var\.(?:value|json)\.(\w+)\s*\}\}\s*$")
_TEMPLATED_GET = re.compile(r"var\.(?:value|json)\.get\(\s*['\"]([^'\"]+)['\"]\s*,\s*['\"]([^'\"]*)['\"]\s*\)")
_SCRIPT = re.compile(r"[\w./-]+\.py\b")

_NO_KIND = frozenset(
    ("source", "src", "dest", "destination", "sql", "remote", "target", "input", "output", "db", "from", "to")
)
"""First words of `..._conn_id` that say what a connection is for, not what it leads to."""

_ALIASES = {
    "s3": "aws",
    "gcp": "google_cloud_platform",
    "google_cloud": "google_cloud_platform",
    "postgresql": "postgres",
}

_PROVIDERS = {
    "airflow.providers.amazon.aws.": ("aws", "aws_default"),
    "airflow.providers.postgres.": ("postgres", "postgres_default"),
    "airflow.providers.apache.kafka.": ("kafka", "kafka_default"),
    "airflow.providers.apache.spark.": ("spark", "spark_default"),
    "airflow.providers.http.": ("http", "http_default"),
    "airflow.providers.smtp.": ("smtp", "smtp_default"),
}
"""Package of a provider -> the type of its connection, and the one that is used when none is named."""

_BUCKET_AT = {
    **{"load_string": 2, "load_bytes": 2, "load_file": 2, "load_file_obj": 2, "read_key": 1, "get_key": 1},
    **{
        "check_for_key": 1,
        "check_for_bucket": 0,
        "get_bucket": 0,
        "create_bucket": 0,
        "delete_bucket": 0,
        "list_keys": 0,
    },
    **{
        "list_prefixes": 0,
        "delete_objects": 0,
        "download_file": 1,
        "select_key": 1,
        "check_for_prefix": 2,
        "Bucket": 0,
    },
}
"""Method of S3Hook, or of a boto3 resource -> position of the bucket's name."""

_TOPIC_AT = {"produce": 0, "send": 0, "subscribe": 0}
_PACKAGES = {"s3": "s3a://", "delta": "delta", "postgres": "jdbc:postgresql", "kafka": "kafka"}


@dataclass
class Named:
    """What was found.

    Args:
        connections: name -> type, or an empty text where the code does not tell.
        defaults: variable -> the value that the code gives it when it is not set.
        references: variable -> `bucket`, `topic` or `database`, when that is what it names.
        bases: connection -> databases that the code opens with it.
        environ: variable of the process environment -> `bucket`, `topic` or `database`, when it names one.
        addresses: such variables that stand behind `://` in the code: they hold no scheme of their own.
        modules: qualified names of what is imported.
        text: all texts of the code, for words that tell which packages Spark needs.
    """

    connections: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    buckets: set[str] = field(default_factory=set)
    topics: set[str] = field(default_factory=set)
    databases: set[str] = field(default_factory=set)
    bases: dict[str, list[str]] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    addresses: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    text: list[str] = field(default_factory=list)

    def connection(self, name: str, kind: str = "") -> None:
        """Note a connection; what is known of its kind stays."""
        if name and HOLE not in name and "{{" not in name:
            self.connections[name] = self.connections.get(name) or kind

    @property
    def spark_packages(self) -> list[str]:
        """What Spark jobs need besides Spark itself, as far as words in the code tell."""
        return [name for name, word in _PACKAGES.items() if any(word in text for text in self.text)]


def read(root: Path, project: Project, sql: Iterator[Path]) -> Named:
    """Read everything that the DAG files of an examined project lead to.

    Args:
        root: of the project.
        project: its DAG files and helpers.
        sql: its SQL files.
    """
    reader = _Reader(root, project)
    for path in project.facts:
        reader.file(Path(path))
    for helper in project.own_helpers:
        reader.source(helper)
    for script in sql:
        reader.named.buckets.update(_STORE.findall(script.read_text(errors="replace")))
    return reader.named


class _Reader:
    """Goes through files, each once, and through those that they name."""

    def __init__(self, root: Path, project: Project) -> None:
        self.root = root
        self.project = project
        self.named = Named()
        self._seen: set[Path] = set()
        self._shared: set[str] = set()

    def file(self, path: Path) -> None:
        try:
            self.source(SourceFile.read(path, module_name(str(path), self.project.roots)))
        except (SyntaxError, ValueError, OSError, RecursionError):
            return

    def source(self, file: SourceFile) -> None:
        path = Path(file.path).resolve()
        if path in self._seen:
            return
        self._seen.add(path)
        self.named.modules.update(name for name, _ in file.imports)
        self._shared = set()  # what `default_args` of this file names
        for node in file.of_type(ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if name := file.values.text(key) if key else None:
                    self._argument(file, name, value, None)
                    self._shared.add(name)
        for call in file.calls:
            self._call(call)
        for text in self._texts(file):
            self._text(text)
        for node in file.of_type(ast.JoinedStr):
            for before, part in pairwise(node.values):
                front = before.value if isinstance(before, ast.Constant) else ""
                if str(front).endswith("://") and isinstance(part, ast.FormattedValue):
                    self.named.addresses.add(_environ(file, file.values.source(part.value))[0])

    def _texts(self, file: SourceFile) -> Iterator[str]:
        inner = {part for node in file.of_type(ast.JoinedStr) for part in ast.walk(node) if part is not node}
        for node in file.of_type(ast.Constant, ast.JoinedStr):
            value = file.value(node)
            # a text that stands alone is a comment
            if isinstance(value, str) and node not in inner and not isinstance(file.names.parents[node], ast.Expr):
                yield value

    def _text(self, text: str) -> None:
        self.named.text.append(text)
        self.named.buckets.update(_STORE.findall(text))
        self.named.databases.update(_DATABASE_URI.findall(text))
        for name, default in _TEMPLATED_GET.findall(text):
            self.named.defaults.setdefault(name, default)
        if ".py" in text:
            for name in _SCRIPT.findall(text):
                for folder in (self.root, *self.project.roots, self.root / "include", self.root / "jobs"):
                    path = folder / name.lstrip("/")
                    if path.is_file() and path.resolve().is_relative_to(self.root):
                        self.file(path)

    def _call(self, call: Call) -> None:
        file = call.file
        if call.name == _VARIABLE_GET:
            self._variable(call)
        kind, default = self._kind(call)
        keywords = file.values.keywords(call.node)
        used = None
        for name, node in keywords.items():
            used = self._argument(file, name, node, call) or used
        first = call.node.args[0] if call.node.args else None
        if call.last.endswith("Hook") and first is not None:
            used = self._value(file, first, "")
            self.named.connection(used or "", kind)
        elif call.method in ("get_connection", "get_hook") or call.name == "airflow.sdk.Connection.get":
            self.named.connection(self._value(file, first or keywords.get("conn_id"), "") or "")
        elif default and kind and not any(self._kind_of(name) in (kind, "?") for name in {*keywords, *self._shared}):
            self.named.connection(default, kind)
            used = default
        self._positions(call)
        self._databases(call, used)

    def _variable(self, call: Call) -> None:
        name = call.text("key", 0)
        node = call.expression("default", 1) or call.expression("default_var")
        if name and node is not None and known(value := call.file.value(node)):
            self.named.defaults[name] = value

    def _kind(self, call: Call) -> tuple[str, str]:
        """Return the type of connection that a class of a provider takes, and the name of its default."""
        last = call.last
        if not last.endswith(("Hook", "Operator", "Sensor")):
            return "", ""
        provider = next((found for front, found in _PROVIDERS.items() if call.name.startswith(front)), ("", ""))
        if provider[0] == "aws" and not re.search(r"S3|Aws", last):
            return "aws", ""
        if last.endswith("Hook") and not provider[0]:
            return self._hook_type(call.name, last), ""
        return provider

    def _hook_type(self, name: str, last: str) -> str:
        """Return what a hook's class says its connection's type is; else what its name says."""
        found = _class_attribute(_source_of(name) or self._own_source(name), last, "conn_type")
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", last.removesuffix("Hook")).lower()
        return found or ("" if words in ("base", "db_api", "") else words)

    def _own_source(self, name: str) -> ast.Module | None:
        found = self.project.module_of(name)
        return found[0].tree if found else None

    def _kind_of(self, keyword: str) -> str:
        """Return the type of connection that a keyword names; `?` when it names one of any type."""
        match = _CONN.match(keyword)
        if not match:
            return "kafka" if keyword == "kafka_config_id" else ""
        kind = match["kind"] or ""
        return "?" if kind in _NO_KIND or not kind else _ALIASES.get(kind, kind)

    def _argument(self, file: SourceFile, name: str, node: ast.expr, call: Call | None) -> str | None:
        """Note what one argument names; returns the connection, when it is one."""
        kind = self._kind_of(name)
        if kind:
            value = self._value(file, node, "")
            said = self._kind(call)[0] if call is not None and kind == "?" and name == "conn_id" else kind
            self.named.connection(value or "", "" if said == "?" else said)
            return value
        if _BUCKET.match(name):
            self._note(self.named.buckets, self._value(file, node, "bucket"))
        elif _TOPIC.match(name):
            for element in node.elts if isinstance(node, ast.List | ast.Tuple) else [node]:
                self._note(self.named.topics, self._value(file, element, "topic"))
        return None

    def _positions(self, call: Call) -> None:
        """Note the names that methods of clients take by position."""
        arguments = call.node.args
        position = _BUCKET_AT.get(call.method)
        if position is not None and position < len(arguments) and isinstance(call.node.func, ast.Attribute):
            self._note(self.named.buckets, self._value(call.file, arguments[position], "bucket"))
        if call.method in _TOPIC_AT and arguments and self._about("kafka", call.file):
            first = arguments[0]
            for element in first.elts if isinstance(first, ast.List | ast.Tuple) else [first]:
                self._note(self.named.topics, self._value(call.file, element, "topic"))
        if call.method == "option" and call.text("", 0) in ("subscribe", "topic"):
            for topic in (call.text("", 1) or "").split(","):
                self._note(self.named.topics, topic)

    def _about(self, word: str, file: SourceFile) -> bool:
        return any(word in name for name, _ in file.imports)

    def _databases(self, call: Call, connection: str | None) -> None:
        keywords = call.file.values.keywords(call.node)
        wanted: tuple[str, ...] = ("database", "dbname")
        if re.search(r"Postgres|PgVector", call.last):
            wanted = (*wanted, "schema")
        elif not (call.last.startswith("SQL") or call.name.startswith(("psycopg", "asyncpg")) or "Sql" in call.last):
            return
        nodes = {**(call.file.values.entries(keywords.get("hook_params")) or {}), **keywords}
        for keyword in wanted:
            name = self._value(call.file, nodes.get(keyword), "database")
            if name and re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
                self.named.databases.add(name)
                if connection:
                    self.named.bases.setdefault(connection, []).append(name)

    def _note(self, names: set[str], name: str | None) -> None:
        if name and HOLE not in name and "{{" not in name:
            names.add(name)

    def _value(self, file: SourceFile, node: ast.expr | None, kind: str) -> str | None:
        """Return the text that an expression stands for: a constant of any module, an entry of a dict, a variable.

        Args:
            kind: what the text names; a variable that gives it is noted to name that.
        """
        if node is None:
            return None
        node = file.values.source(node)
        value = file.value(node)
        if isinstance(node, ast.Subscript):
            entries, key = self._evaluated(file, node.value), file.values.text(node.slice)
            value = entries.get(key) if isinstance(entries, dict) and key else None
        variable = self._variable_of(file, node, value) if kind else None
        if variable is not None:
            self.named.references[variable] = kind
            return None
        name, default = _environ(file, node)
        if name and kind:
            self.named.environ[name] = kind
            return default
        if isinstance(value, str):
            return value
        defined = self._defined(file, node)
        return self._value(*defined, kind) if defined else None

    def _evaluated(self, file: SourceFile, node: ast.expr) -> Any:
        value = file.value(node)
        defined = None if known(value) else self._defined(file, node)
        return defined[0].value(defined[1]) if defined else value

    def _variable_of(self, file: SourceFile, node: ast.expr, value: Any) -> str | None:
        """Return the Airflow variable that an expression reads, by a call or in a template."""
        if isinstance(value, str):
            if match := _TEMPLATED.match(value) or _TEMPLATED_GET.search(value):
                return match[1]
        elif isinstance(node, ast.Call) and file.resolve(node.func) == _VARIABLE_GET:
            return file.call_of[node].text("key", 0)
        return None

    def _defined(self, file: SourceFile, node: ast.expr) -> tuple[SourceFile, ast.expr] | None:
        """Follow a name to the class or the module of the project that gives it its value."""
        name = file.resolve(node)
        if not name and isinstance(node, ast.Attribute):
            name = f"{file.resolve(node.value)}.{node.attr}"
        if name.startswith("."):
            other, path = file, name[1:]
        elif name and (found := self.project.module_of(name)):
            other, path = found
        else:
            return None
        scope = other.names.inner[other.tree]
        *classes, last = path.split(".")
        for part in classes:
            owner = next((one.node for one in scope.bindings.get(part, []) if one.node in other.names.inner), None)
            if owner is None:
                return None
            scope = other.names.inner[owner]
        value = next((one.value for one in scope.bindings.get(last, []) if one.kind == "value"), None)
        return (other, value) if value is not None and value is not node else None


def _environ(file: SourceFile, node: ast.expr) -> tuple[str, str | None]:
    """Return the variable of the process environment that an expression reads, and the text that it has else."""
    if isinstance(node, ast.Subscript) and file.resolve(node.value) == "os.environ":
        return file.values.text(node.slice) or "", None
    if isinstance(node, ast.Call) and file.resolve(node.func) in ("os.environ.get", "os.getenv"):
        call = file.call_of[node]
        return call.text("key", 0) or "", call.text("default", 1)
    return "", None


def _source_of(name: str) -> ast.Module | None:
    """Return the source of an installed provider's module, without importing it."""
    module = name.rpartition(".")[0]
    if not module.startswith("airflow.providers."):
        return None
    package = find_spec("airflow")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder, *module.split(".")[1:]).with_suffix(".py")
        if path.is_file():
            return ast.parse(path.read_text(encoding="utf-8"))
    return None


def _class_attribute(module: ast.Module | None, name: str, attribute: str) -> str:
    for node in module.body if module else ():
        if isinstance(node, ast.ClassDef) and node.name == name:
            for line in node.body:
                target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
                value = getattr(line, "value", None)
                if isinstance(target, ast.Name) and target.id == attribute and isinstance(value, ast.Constant):
                    return str(value.value)
    return ""
