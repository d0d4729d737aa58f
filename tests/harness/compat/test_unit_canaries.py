"""What the toolkit for unit tests leans on in Airflow; the first to sing when a new Airflow moves it."""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import version
from typing import get_args

import pytest


@pytest.mark.parametrize(
    ("place", "parameters"),
    [
        ("airflow.sdk.execution_time.task_runner:run", {"ti", "context", "log"}),
        ("airflow.sdk.execution_time.task_runner:_execute_task", {"context", "ti", "log"}),
        ("airflow.sdk.execution_time.task_runner:RuntimeTaskInstance.get_template_context", {"self"}),
        ("airflow.sdk.execution_time.task_runner:get_hostname", None),
        ("airflow.sdk.execution_time.task_runner:get_listener_manager", None),
        ("airflow.sdk.bases.sensor:time.sleep", None),
        ("airflow.sdk.bases.sensor:time.monotonic", None),
        ("airflow.sdk.serde:serialize", {"o"}),
        ("airflow.sdk.serde:deserialize", {"o"}),
        ("airflow.sdk.providers_manager_runtime:ProvidersManagerTaskRuntime.hooks", None),
        ("airflow.sdk._shared.module_loading:import_string", None),
        ("airflow.sdk._shared.secrets_masker:redact", {"value"}),
        ("airflow.serialization.encoders:coerce_to_core_timetable", {"obj"}),
        ("airflow.timetables.base:TimeRestriction", {"earliest", "latest", "catchup"}),
    ],
)
def test_private_name_is_where_it_was_and_takes_what_it_took(place: str, parameters: set[str] | None):
    module, _, path = place.partition(":")
    found = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    if parameters is not None:
        assert parameters <= set(inspect.signature(found).parameters)


@pytest.mark.skipif(version("apache-airflow").startswith("3.2."), reason="tasks ask for less there")
def test_each_message_that_is_answered_is_one_that_tasks_send():
    from airflow.sdk.execution_time import comms

    from harness._compat.task_requests import _ANSWERS

    union, *_ = get_args(comms.ToSupervisor)
    sent = {message.__name__ for message in get_args(union)}
    assert set(_ANSWERS) <= sent


def test_fields_of_a_run_are_those_that_are_filled_in():
    from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext

    required = {name for name, field in DagRun.model_fields.items() if field.is_required()}
    assert required <= {
        *("dag_id", "run_id", "logical_date", "data_interval_start", "data_interval_end", "run_after", "start_date"),
        *("end_date", "run_type", "state", "consumed_asset_events", "partition_key"),
    }
    assert {"next_method", "next_kwargs", "should_retry", "task_reschedule_count"} <= set(TIRunContext.model_fields)
