"""Hooks whose methods a test answers instead of an outside system; whatever it has not foreseen fails.

The class stays the real one, and so does its constructor: operators find it wherever they import it from, and a wrong
argument is refused by the hook itself. Only its public methods are replaced, by mocks with their signatures.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from types import FunctionType
from typing import Any
from unittest import mock

from harness.errors import ConfigError
from harness.unit.cursor import Rows
from harness.unit.environ import connection_environ

_UNANSWERED = object()
_METHODS = (FunctionType, classmethod, staticmethod)


@contextmanager
def mock_hook(
    hook: str | type,
    *,
    conn_id: str | None = None,
    rows: Sequence[Any] | None = None,
    columns: Sequence[str] | None = None,
    **answers: Any,
) -> Iterator[Any]:
    """Answer for all hooks of one class until the end of the block; the fixture of this name, until that of the test.

    The yielded mock has the hook's methods: `hook.get_records.assert_called_once_with("select 1")`. A call that the
    method's signature does not allow is a TypeError; a call of a method for which there is no answer is an
    AssertionError that says so, unless the method is declared to return None; `hook.METHOD.return_value = ...` gives
    one later. When the connection is not defined, it is, as one with nothing but a type.

    Args:
        hook: a connection id (`postgres_default`): the class is that of the connection's type, or, when there is no
            such connection, the type's that the id names. Or the class, or its path
            (`airflow.providers.apache.kafka.hooks.produce.KafkaProducerHook`).
        conn_id: with a class: the connection that its hooks must be made for; hooks of others fail. A connection id
            as `hook` demands the same.
        rows: what every statement returns, for database hooks: a list of tuples or of mappings. `run` gives them to
            its handler as a cursor, `get_records`, `get_first` and `get_conn` answer with them.
        columns: names for the cursor's description, when rows are tuples.
        answers: by name of the method: a value to return, an exception to raise, or a function that is called with
            the same arguments. By name of a property: its value.

    Raises:
        ConfigError: no hook class is known for the connection, or it has no such method.
    """
    made, demanded, conn_type = _resolved(hook, conn_id)
    handle = HookMock(made, demanded)
    if rows is not None:
        answers = _database(made, Rows(rows, columns)) | answers
    for name, answer in answers.items():
        handle.answer(name, answer)
    with ExitStack() as stack:
        needed = demanded or getattr(made, "default_conn_name", None)
        if needed and conn_type and not _is_defined(needed):
            stack.enter_context(mock.patch.dict(os.environ, connection_environ(needed, conn_type=conn_type)))
        for name in handle.replaced:
            stack.enter_context(mock.patch.object(made, name, _Forward(handle, name)))
        yield handle


class HookMock(mock.NonCallableMagicMock):
    """The methods of a hook class, each an autospec that is made when it is first looked at."""

    def __init__(self, spec: type | None = None, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(spec=spec, **kwargs)
        # past the mock's own __setattr__; the methods are looked up before they are replaced
        self.__dict__.update(_hook_type=spec, _conn_id=conn_id, _replaced=_public(spec) if spec else {})

    @property
    def replaced(self) -> Mapping[str, Any]:
        """The methods and properties of the class that are replaced, as they were."""
        found: Mapping[str, Any] = self.__dict__["_replaced"]
        return found

    def answer(self, name: str, answer: Any) -> None:
        """Set what a method returns, raises or does, or what a property is."""
        if name not in self.replaced:
            known = ", ".join(sorted(self.replaced))
            raise ConfigError(f"{self._name_of_type} has no public method {name!r}", hint=f"it has {known}")
        if not isinstance(self.replaced[name], _METHODS):
            setattr(self, name, answer)
            return
        method = getattr(self, name)
        raised = isinstance(answer, BaseException) or (isinstance(answer, type) and issubclass(answer, BaseException))
        if raised or isinstance(answer, FunctionType):
            method.side_effect = answer
        else:
            method.return_value = answer

    def check_connection(self, hook: Any) -> None:
        """Fail for a hook of another connection than the one that the test is about."""
        demanded = self.__dict__["_conn_id"]
        field = getattr(hook, "conn_name_attr", None)
        if demanded is None or field is None:
            return
        used = vars(hook).get(field) or vars(hook).get(f"_{field}")
        if used is not None and used != demanded:
            raise AssertionError(f"{self._name_of_type} was made for connection {used!r}, and not for {demanded!r}")

    @property
    def _name_of_type(self) -> str:
        return str(self.__dict__["_hook_type"].__name__)

    def _get_child_mock(self, /, **kwargs: Any) -> Any:
        name = kwargs.get("name")
        raw = self.__dict__.get("_replaced", {}).get(name)
        if raw is None:
            return mock.MagicMock(**kwargs)
        complaint = f"the test says nothing about {self._name_of_type}.{name}: mock_hook(..., {name}=...) answers it"
        if not isinstance(raw, _METHODS):
            raise AssertionError(complaint)  # noqa: TRY004 - the test is at fault, by what it leaves out
        made = self.__dict__["_hook_type"]
        child = mock.create_autospec(raw.__get__(object.__new__(made), made))
        if _returns_nothing(raw):
            child.return_value = None
        else:
            child.return_value = _UNANSWERED
            child.side_effect = _unless_answered(child, complaint)
        self.attach_mock(child, str(name))
        return child


class _Forward:
    """In the place of a method or property of a hook class: hands over to the mock. An instance's own value wins."""

    def __init__(self, handle: HookMock, name: str) -> None:
        self.handle, self.name = handle, name

    def __get__(self, hook: Any, owner: type) -> Any:
        if hook is not None:
            self.handle.check_connection(hook)
        return getattr(self.handle, self.name)


def _resolved(hook: str | type, conn_id: str | None) -> tuple[type, str | None, str | None]:
    """Return the class, the connection that is demanded, and its type."""
    if isinstance(hook, type):
        return hook, conn_id, getattr(hook, "conn_type", None)
    if "." in hook:
        made = _imported(hook)
        return made, conn_id, getattr(made, "conn_type", None)
    from harness._compat import hooks

    found = hooks.connection(hook)
    conn_type = found.conn_type if found is not None else hook.removesuffix("_default")
    registered = hooks.hook_class(conn_type)
    if registered is None:
        raise ConfigError(
            f"no installed provider has a hook for the connection {hook!r} (type {conn_type!r})",
            hint=f"define it first, or give the hook's class; types are {', '.join(hooks.connection_types())}",
        )
    return registered, hook, conn_type


def _imported(path: str) -> type:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(__import__(module, fromlist=[name]), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"there is no hook class {path}: {error}") from None
    if not isinstance(found, type):
        raise ConfigError(f"{path} is no class")
    return found


def _is_defined(conn_id: str) -> bool:
    return f"AIRFLOW_CONN_{conn_id.upper()}" in os.environ


def _public(made: type) -> dict[str, Any]:
    """Return what a mock replaces: public methods and properties, but none by which a hook finds its connection."""
    from airflow.sdk import BaseHook

    kept = set(dir(BaseHook)) - {"get_conn"}
    names = (name for name in dir(made) if not name.startswith("_") and name not in kept)
    found = {name: inspect.getattr_static(made, name) for name in names}
    return {name: raw for name, raw in found.items() if isinstance(raw, (*_METHODS, property, cached_property))}


def _returns_nothing(raw: Any) -> bool:
    return getattr(raw, "__func__", raw).__annotations__.get("return", "") in (None, "None")


def _unless_answered(method: Any, complaint: str) -> Any:
    def complain(*_: Any, **__: Any) -> Any:
        if method.return_value is _UNANSWERED:
            raise AssertionError(complaint)
        return mock.DEFAULT

    return complain


def _database(made: type, rows: Rows) -> dict[str, Any]:
    if not hasattr(made, "get_records"):
        raise ConfigError(f"{made.__name__} is no database hook: it has no rows", hint="answer its methods by name")

    signature = inspect.signature(made.run)  # type: ignore[attr-defined]

    def run(*given: Any, **named: Any) -> Any:
        arguments = signature.bind(None, *given, **named).arguments
        sql, handler = arguments["sql"], arguments.get("handler")
        results = []
        for statement in [sql] if isinstance(sql, str) else sql:
            rows.execute(statement, arguments.get("parameters"))
            results.append(handler(rows) if handler is not None else None)
        if handler is None:
            return None
        return results[-1] if isinstance(sql, str) or arguments.get("return_last", True) else results

    return {
        "run": run,
        "get_records": rows.rows,
        "get_first": rows.rows[0] if rows.rows else None,
        "get_conn": rows,
        "last_description": rows.description,
    }
