"""Which names of an environment stand in the code of a DAG, so that no namespace can rename them.

A bucket, topic or database that is named in the code is found under that name whatever the environment says. Whether
one is named is told by the text of the DAG's file and of all that it depends on. A word that might be meant is taken to
be: a namespace with declared names is right for every DAG, it only costs servers of its own.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.environment.references import declared
from harness.environment.service import ServiceSpec
from harness.environment.spec import EnvironmentSpec
from harness.inputs.closure import Sources, files_below

#: calls and keywords whose words name something else: a connection, a variable, a task
_OTHER_CALLS = re.compile(r"(Variable|Connection)\.(get|set|delete)$|^(get_connection|xcom_pull|xcom_push|getLogger)$")
_OTHER_KEYWORDS = re.compile(
    r"(^|_)conn_id$|^(task_id|dag_id|dag_display_name|group_id_prefix|pool|queue|owner|tags|description|doc|doc_md|key|"
    r"task_ids|external_dag_id|external_task_id|trigger_dag_id|run_id|help|name|app_name|appName)$"
)
#: keywords and methods whose words name a thing of that kind
_KEYWORDS = {
    "bucket": re.compile(r"bucket|^(head|create|delete|list)_", re.IGNORECASE),
    "topic": re.compile(r"topic|^(subscribe|produce|send|kafka\.\w+)$", re.IGNORECASE),
    "database": re.compile(r"database|^db"),
}
_DATABASE_KEYWORDS = frozenset({"database", "dbname", "db", "database_name", "db_name", "schema"})
_GROUP_KEYWORDS = frozenset({"group_id", "group.id"})
_STORE = re.compile(r"\bs3[an]?://([a-z0-9][a-z0-9.-]{2,62})")
_POSTGRES = re.compile(r"\bpostgres(?:ql)?(?:\+\w+)?://[^\s/]+/(\w+)|\bdbname=(\w+)")
_CREATES = re.compile(r"\b(?:create|drop|alter|use)\s+(?:database|schema)\b|\buse\s+\w+\s*;?\s*$", re.IGNORECASE)
_QUALIFIED = re.compile(r"\b(?:from|join|into|table|exists|update|overwrite)\s+([a-z_]\w*)\.[a-z_]\w*", re.IGNORECASE)
_TABLE_CALLS = frozenset({"saveAsTable", "insertInto", "table", "toTable", "writeTo", "setCurrentDatabase", "sql"})
#: what looks like a database in Spark's SQL and is a format or a catalog's own
_NO_DATABASE = frozenset({"delta", "parquet", "json", "csv", "text", "orc", "avro", "global_temp", "default"})
#: files beside the code that carry names: configuration of the project's own
_CONFIGURATION = frozenset({".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".conf", ".properties", ".env", ".sql"})


@dataclass(frozen=True)
class Named:
    """One name that stands in the code.

    Args:
        service: whose thing it is.
        kind: bucket, topic, group or database.
        name: as it is written.
        path: where; relative to the project, if it is in there.
        line: 1-based; 0 where only the file is known.
    """

    service: str
    kind: str
    name: str
    path: str
    line: int

    def in_words(self) -> str:
        """Return it for a message: `bucket 'landing' (dags/load.py:12)`."""
        return f"{self.kind} {self.name!r} ({self.path}{f':{self.line}' if self.line else ''})"


class Code:
    """The DAG files of a project, read for names.

    Args:
        project: its root.
        dags: its folder of DAG files.
        spec: the environment whose names are looked for.
    """

    def __init__(self, project: Path, dags: Path, spec: EnvironmentSpec) -> None:
        self._project, self._dags, self._spec = project.resolve(), dags.resolve(), spec
        self._sources = Sources(self._project, [self._dags])
        self._words: dict[Path, tuple[_Word, ...]] = {}

    def of(self, dag_ids: Collection[str] | None) -> list[Named]:
        """Return the names that stand in the code of DAGs, and in the values that the environment gives them.

        Args:
            dag_ids: which DAGs; None for all of the folder. One that no file names is taken to be in any of them.
        """
        files = self._files if dag_ids is None else self._files_of(dag_ids)
        found = [*self._given(), *(named for path in self._sources.closure(files) for named in self._in(path))]
        return list(dict.fromkeys(found))

    def known(self, words: Collection[str]) -> set[str]:
        """Return the words that a DAG file has as a DAG's id, or as a function's name that becomes one."""
        return {
            word.text
            for path in self._files
            for word in self._words_of(path)
            if word.text in words and word.keyword in ("def", "DAG", "dag", "dag_id", "trigger_dag_id")
        }

    @cached_property
    def _files(self) -> list[Path]:
        return [path for path in files_below([self._dags]) if path.suffix in (".py", ".zip")]

    def _files_of(self, dag_ids: Collection[str]) -> list[Path]:
        """Return the files that name a DAG, and those of the DAGs that they trigger or wait for."""
        todo, seen = list(dag_ids), set()
        found: dict[Path, None] = {}
        while todo:
            dag_id = todo.pop()
            if dag_id in seen:
                continue
            seen.add(dag_id)
            mine = [path for path in self._files if any(word.text == dag_id for word in self._words_of(path))]
            if not mine:
                return self._files
            found |= dict.fromkeys(mine)
            words = (word for path in mine for word in self._words_of(path))
            todo += [word.text for word in words if word.keyword in ("trigger_dag_id", "external_dag_id")]
        return list(found)

    def _given(self) -> Iterator[Named]:
        """Yield the names in the plain values of variables, connections and settings: a DAG takes them as they are."""
        airflow = self._spec.airflow
        values = {
            **{f"airflow.variables.{name}": value for name, value in airflow.variables.items()},
            **{f"airflow.connections.{name}.extra": one.extra for name, one in airflow.connections.items()},
            **{f"airflow.environ.{name}": value for name, value in airflow.environ.items()},
            **{f"dags.{name}.conf": dag.conf for name, dag in self._spec.dags.items() if dag.conf},
        }
        for where, value in values.items():
            if isinstance(value, (str, dict, list)) and value:
                text = value if isinstance(value, str) else json.dumps(value)
                yield from self._in_text(text, f"environment: {where}")

    def _in(self, path: Path) -> Iterator[Named]:
        shown = path.relative_to(self._project).as_posix() if path.is_relative_to(self._project) else str(path)
        if path.suffix == ".py":
            words = self._words_of(path)
            with_spark = any(word.text.startswith("pyspark") and word.keyword == "import" for word in words)
            for word in words:
                yield from self._in_word(word, shown, with_spark)
        elif path.suffix in _CONFIGURATION:
            yield from self._in_text(path.read_text(errors="replace"), shown)

    def _in_text(self, text: str, where: str) -> Iterator[Named]:
        """Yield what a text that is not Python might mean: every declared name that stands in it as a word."""
        for service, kind, name in self._declared():
            if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text) and (kind != "database" or "://" in text):
                yield Named(service, kind, name, where, 0)
        yield from self._addresses(text, where, 0)

    def _in_word(self, word: _Word, path: str, with_spark: bool) -> Iterator[Named]:
        yield from self._addresses(word.text, path, word.line)
        if word.keyword in _DATABASE_KEYWORDS:
            yield from (Named(name, "database", word.text, path, word.line) for name in self._of_role("postgres"))
        if word.keyword in _GROUP_KEYWORDS:
            yield from (Named(name, "group", word.text, path, word.line) for name in self._of_role("kafka"))
        if with_spark and (database := _spark_database(word)):
            yield from (Named(name, "database", database, path, word.line) for name in self._of_role("spark"))
        if word.other:
            return
        for service, kind, name in self._declared():
            meant = word.text == name and (name not in self._handles or _KEYWORDS[kind].search(word.keyword))
            if kind != "database" and (meant or (kind == "bucket" and word.text.startswith(f"{name}/"))):
                yield Named(service, kind, name, path, word.line)

    def _addresses(self, text: str, path: str, line: int) -> Iterator[Named]:
        for match in _STORE.finditer(text):
            yield from (Named(name, "bucket", match[1], path, line) for name in self._of_role("s3"))
        for match in _POSTGRES.finditer(text):
            database = match[1] or match[2]
            yield from (Named(name, "database", database, path, line) for name in self._of_role("postgres"))

    def _declared(self) -> Iterator[tuple[str, str, str]]:
        for service, spec in self._services.items():
            for kind in ("bucket", "topic", "database"):
                yield from ((service, kind, name) for name in declared(spec, kind) or ())

    @cached_property
    def _handles(self) -> frozenset[str]:
        """What connections and variables are called: where a word is no argument for a name, it is one of these."""
        return frozenset({*self._spec.airflow.connections, *self._spec.airflow.variables})

    def _of_role(self, role: str) -> list[str]:
        return [name for name, spec in self._services.items() if spec.role == role]

    @property
    def _services(self) -> Mapping[str, ServiceSpec]:
        return self._spec.services

    def _words_of(self, path: Path) -> tuple[_Word, ...]:
        if path not in self._words:
            self._words[path] = tuple(_words(path))
        return self._words[path]


@dataclass(frozen=True)
class _Word:
    """One text in Python code.

    Args:
        text: the constant, or what is constant of an f-string; a function's name; an imported module's.
        line: 1-based.
        keyword: what it is given as: a keyword argument, a key of a dictionary, a method's name, or `import`, `def`.
        other: it names a connection, a task or the like.
    """

    text: str
    line: int
    keyword: str = ""
    other: bool = False


def _words(path: Path) -> Iterator[_Word]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    yield from _below(tree, "", other=False)


def _below(node: ast.AST, keyword: str, *, other: bool) -> Iterator[_Word]:
    match node:
        case ast.Constant(value=str(text)):
            yield _Word(text, node.lineno, keyword, other)
        case ast.JoinedStr():
            yield from _of_text_with_holes(node, keyword, other=other)
        case ast.Expr(value=ast.Constant()):
            return  # a docstring
        case ast.Import() | ast.ImportFrom():
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (_Word(name, node.lineno, "import", other=True) for name in names)
        case ast.Call():
            yield from _of_call(node, keyword, other=other)
        case ast.Dict():
            yield from _of_dict(node, other=other)
        case _:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield _Word(node.name, node.lineno, "def", other=True)
            for child in ast.iter_child_nodes(node):
                yield from _below(child, keyword, other=other)


def _of_text_with_holes(node: ast.JoinedStr, keyword: str, *, other: bool) -> Iterator[_Word]:
    parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
    yield _Word("".join(map(str, parts)), node.lineno, keyword, other)
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            yield from _below(part.value, "", other=other)


def _of_dict(node: ast.Dict, *, other: bool) -> Iterator[_Word]:
    for key, value in zip(node.keys, node.values, strict=True):
        name = key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
        if key is not None:
            yield from _below(key, "", other=True)
        yield from _below(value, name, other=other or bool(_OTHER_KEYWORDS.search(name)))


def _of_call(node: ast.Call, keyword: str, *, other: bool) -> Iterator[_Word]:
    called = ast.unparse(node.func) if isinstance(node.func, (ast.Name, ast.Attribute)) else ""
    method = called.rpartition(".")[2]
    yield from _below(node.func, keyword, other=other)
    elsewhere = other or bool(_OTHER_CALLS.search(called) or _OTHER_CALLS.search(method))
    for argument in node.args:
        yield from _below(argument, method, other=elsewhere)
    for one in node.keywords:
        name = one.arg or ""
        yield from _below(one.value, name, other=elsewhere or bool(_OTHER_KEYWORDS.search(name)))


def _spark_database(word: _Word) -> str:
    """Return the database that a word in a Spark job names; "" for none."""
    if word.keyword not in (*_TABLE_CALLS, "sqlQuery", "name", "tableName"):
        return ""
    found: Iterable[str]
    if _CREATES.search(word.text):
        found = [word.text.split()[-1].strip(";`")]
    elif word.keyword in ("sql", "sqlQuery"):
        found = _QUALIFIED.findall(word.text)
    elif word.keyword == "setCurrentDatabase":
        found = [word.text]
    else:
        found = re.findall(r"^`?([A-Za-z_]\w*)`?\.`?[A-Za-z_]\w*`?$", word.text)
    return next((name for name in found if name.lower() not in _NO_DATABASE), "")
