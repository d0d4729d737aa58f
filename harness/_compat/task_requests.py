"""What a task asks of its supervisor, answered from memory: XComs, variables, state stores, previous runs.

Bridges: the Task SDK reaches everything outside the task's process through one private channel
(`task_runner.SUPERVISOR_COMMS`), which answers messages of `airflow.sdk.execution_time.comms`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from harness.errors import ConfigError

Place = tuple[str, str, str, str]
"""Dag id, run id, task id and key of an XCom."""


@dataclass
class Supervisor:
    """Answers one test's tasks. Values are kept as the Task SDK has serialized them, as a database would.

    Args:
        xcoms: by place, then by map index (-1 for a task that is not mapped).
        variables: that tasks have set; those of the environment are found before these.
        stores: values of task and asset state stores, by owner and key.
        previous: fields of the last successful run.
        rescheduled_since: when a rescheduled sensor ran first.
        skipped: ids of the tasks that a branch has skipped.
        triggered: requests for runs of other DAGs.
    """

    xcoms: dict[Place, dict[int, Any]] = field(default_factory=dict)
    variables: dict[str, str | None] = field(default_factory=dict)
    stores: dict[tuple[str, str], Any] = field(default_factory=dict)
    previous: dict[str, Any] = field(default_factory=dict)
    rescheduled_since: Any = None
    skipped: list[str] = field(default_factory=list)
    triggered: list[Any] = field(default_factory=list)

    def send(self, msg: Any) -> Any:
        """Answer one request.

        Raises:
            ConfigError: it is about something that only a real run has.
        """
        kind = type(msg).__name__
        answer = _ANSWERS.get(kind)
        if answer is None:
            raise ConfigError(
                f"a task asked its supervisor for {kind}, which a unit test cannot answer",
                hint="patch the method that asks, or run the DAG with the fixture run_dag",
            )
        return answer(self, msg)

    async def asend(self, msg: Any) -> Any:
        """Answer one request of asynchronous code."""
        return self.send(msg)


@contextmanager
def installed(supervisor: Supervisor) -> Iterator[Supervisor]:
    """Make it the one that tasks in this process ask, until the end of the block."""
    from airflow.sdk.execution_time import task_runner

    with mock.patch.object(task_runner, "SUPERVISOR_COMMS", supervisor, create=True):
        yield supervisor


def current() -> Supervisor:
    """Return the supervisor of the block that this is in, or a new one."""
    from airflow.sdk.execution_time import task_runner

    found = getattr(task_runner, "SUPERVISOR_COMMS", None)
    return found if isinstance(found, Supervisor) else Supervisor()


def _place(msg: Any) -> Place:
    return (msg.dag_id, msg.run_id, msg.task_id, msg.key)


def _index(msg: Any) -> int:
    return -1 if msg.map_index is None else int(msg.map_index)


def _values(supervisor: Supervisor, msg: Any) -> list[Any]:
    found = supervisor.xcoms.get(_place(msg), {})
    return [found[index] for index in sorted(found)]


def _set_xcom(supervisor: Supervisor, msg: Any) -> None:
    supervisor.xcoms.setdefault(_place(msg), {})[_index(msg)] = msg.value


def _get_xcom(supervisor: Supervisor, msg: Any) -> Any:
    from airflow.sdk.execution_time.comms import XComResult

    return XComResult(key=msg.key, value=supervisor.xcoms.get(_place(msg), {}).get(_index(msg)))


def _delete_xcom(supervisor: Supervisor, msg: Any) -> Any:
    supervisor.xcoms.get(_place(msg), {}).pop(_index(msg), None)
    return _done(supervisor, msg)


def _slice_xcoms(supervisor: Supervisor, msg: Any) -> Any:
    from airflow.sdk.execution_time.comms import XComSequenceSliceResult

    return XComSequenceSliceResult(root=_values(supervisor, msg)[msg.start : msg.stop : msg.step])


def _item_of_xcoms(supervisor: Supervisor, msg: Any) -> Any:
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse, XComSequenceIndexResult

    values = _values(supervisor, msg)
    if not -len(values) <= msg.offset < len(values):
        return ErrorResponse(error=ErrorType.XCOM_NOT_FOUND, detail={"message": f"no XCom at {msg.offset}"})
    return XComSequenceIndexResult(root=values[msg.offset])


def _count_xcoms(supervisor: Supervisor, msg: Any) -> Any:
    from airflow.sdk.execution_time.comms import XComCountResponse

    return XComCountResponse(len=len(_values(supervisor, msg)))


def _no_connection(supervisor: Supervisor, msg: Any) -> Any:
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    return ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND, detail={"conn_id": msg.conn_id})


def _get_variable(supervisor: Supervisor, msg: Any) -> Any:
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse, VariableResult

    if msg.key not in supervisor.variables:
        return ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"key": msg.key})
    return VariableResult(key=msg.key, value=supervisor.variables[msg.key])


def _put_variable(supervisor: Supervisor, msg: Any) -> Any:
    supervisor.variables[msg.key] = msg.value
    return _done(supervisor, msg)


def _delete_variable(supervisor: Supervisor, msg: Any) -> Any:
    supervisor.variables.pop(msg.key, None)
    return _done(supervisor, msg)


def _list_variables(supervisor: Supervisor, msg: Any) -> Any:
    from airflow.sdk.execution_time.comms import VariableKeysResult

    keys = sorted(key for key in supervisor.variables if key.startswith(msg.prefix or ""))
    return VariableKeysResult(keys=keys[msg.offset : msg.offset + msg.limit], total_entries=len(keys))


def _previous(supervisor: Supervisor, msg: Any) -> Any:
    from airflow.sdk.execution_time.comms import PrevSuccessfulDagRunResult

    return PrevSuccessfulDagRunResult(**supervisor.previous)


def _first_reschedule(supervisor: Supervisor, msg: Any) -> Any:
    from airflow.sdk.execution_time.comms import TaskRescheduleStartDate

    return TaskRescheduleStartDate(start_date=supervisor.rescheduled_since)


def _active_assets(supervisor: Supervisor, msg: Any) -> Any:
    from airflow.sdk.execution_time.comms import InactiveAssetsResult

    return InactiveAssetsResult(inactive_assets=[])


def _no_events(supervisor: Supervisor, msg: Any) -> Any:
    from airflow.sdk.execution_time.comms import AssetEventsResult

    return AssetEventsResult(asset_events=[])


def _skip(supervisor: Supervisor, msg: Any) -> Any:
    supervisor.skipped += [task if isinstance(task, str) else task[0] for task in msg.tasks]
    return _done(supervisor, msg)


def _trigger(supervisor: Supervisor, msg: Any) -> Any:
    supervisor.triggered.append(msg)
    return _done(supervisor, msg)


def _owner(msg: Any) -> str:
    return str(getattr(msg, "ti_id", None) or getattr(msg, "name", None) or getattr(msg, "uri", ""))


def _get_stored(supervisor: Supervisor, msg: Any) -> Any:
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time.comms import AssetStateStoreResult, ErrorResponse, TaskStateStoreResult

    task = hasattr(msg, "ti_id")
    missing = ErrorType.TASK_STORE_NOT_FOUND if task else ErrorType.ASSET_STORE_NOT_FOUND
    place = (_owner(msg), msg.key)
    if place not in supervisor.stores:
        return ErrorResponse(error=missing, detail={"key": msg.key})
    return (TaskStateStoreResult if task else AssetStateStoreResult)(value=supervisor.stores[place])


def _set_stored(supervisor: Supervisor, msg: Any) -> Any:
    supervisor.stores[_owner(msg), msg.key] = msg.value
    return _done(supervisor, msg)


def _delete_stored(supervisor: Supervisor, msg: Any) -> Any:
    supervisor.stores.pop((_owner(msg), msg.key), None)
    return _done(supervisor, msg)


def _clear_stored(supervisor: Supervisor, msg: Any) -> Any:
    for place in [place for place in supervisor.stores if place[0] == _owner(msg)]:
        del supervisor.stores[place]
    return _done(supervisor, msg)


def _done(supervisor: Supervisor, msg: Any) -> Any:
    from airflow.sdk.execution_time.comms import OKResponse

    return OKResponse(ok=True)


_REPORTS = (
    *("SucceedTask", "TaskState", "DeferTask", "RescheduleTask", "RetryTask", "AwaitInputTask"),
    *("SetRenderedFields", "SetRenderedMapIndex", "MaskSecret"),
)
"""Messages that tell the supervisor something; what they say is in what `task_runner.run` returns."""

_ANSWERS: dict[str, Callable[[Supervisor, Any], Any]] = {
    "SetXCom": _set_xcom,
    "GetXCom": _get_xcom,
    "DeleteXCom": _delete_xcom,
    "GetXComSequenceSlice": _slice_xcoms,
    "GetXComSequenceItem": _item_of_xcoms,
    "GetXComCount": _count_xcoms,
    "GetConnection": _no_connection,
    "GetVariable": _get_variable,
    "PutVariable": _put_variable,
    "DeleteVariable": _delete_variable,
    "GetVariableKeys": _list_variables,
    "GetPrevSuccessfulDagRun": _previous,
    "GetTaskRescheduleStartDate": _first_reschedule,
    "ValidateInletsAndOutlets": _active_assets,
    "GetAssetEventByAsset": _no_events,
    "GetAssetEventByAssetAlias": _no_events,
    "SkipDownstreamTasks": _skip,
    "TriggerDagRun": _trigger,
    **dict.fromkeys(("GetTaskStateStore", "GetAssetStateStoreByName", "GetAssetStateStoreByUri"), _get_stored),
    **dict.fromkeys(("SetTaskStateStore", "SetAssetStateStoreByName", "SetAssetStateStoreByUri"), _set_stored),
    **dict.fromkeys(
        ("DeleteTaskStateStore", "DeleteAssetStateStoreByName", "DeleteAssetStateStoreByUri"), _delete_stored
    ),
    **dict.fromkeys(("ClearTaskStateStore", "ClearAssetStateStoreByName", "ClearAssetStateStoreByUri"), _clear_stored),
    **dict.fromkeys(_REPORTS, _done),
}
