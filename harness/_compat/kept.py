"""What Airflow and FastAPI make anew for each task or request, although it never differs: made once, before the fork.

Bridges: a task's channel to its supervisor builds pydantic's validators of every message there is, and each rendered
field one more; FastAPI looks at the signatures of overridden dependencies at every request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.sdk.execution_time import comms, task_runner
from fastapi.dependencies import utils
from pydantic import TypeAdapter

_adapters: dict[int, tuple[Any, TypeAdapter[Any]]] = {}


def adapter(kind: Any) -> TypeAdapter[Any]:
    """Return the validator of a type; the types themselves, which not all have a hash, are kept with it."""
    if id(kind) not in _adapters:
        _adapters[id(kind)] = (kind, TypeAdapter(kind))
    return _adapters[id(kind)][1]


def keep_validators() -> None:
    """Let tasks that are forked from here use the validators that are made here."""
    for module in (comms, task_runner):
        module.TypeAdapter = adapter
    adapter(comms.ToTask)
    adapter(task_runner.JsonValue)


def keeping(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of named, hashable arguments that does its work once for each of them; lists are as tuples."""
    made: dict[Any, Any] = {}

    def answer(**named: Any) -> Any:
        key = tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in named.items())
        if key not in made:
            made[key] = function(**named)
        return made[key]

    return answer


#: for the while of a request to our own API: another application's would have other routes
dependant_of = keeping(utils.get_dependant)
