"""What the bridges to Airflow's private parts lean on; the first to sing when a new Airflow moves it."""

from __future__ import annotations

import importlib
import inspect

import pytest


@pytest.mark.parametrize(
    ("place", "parameters"),
    [
        ("airflow.sdk.execution_time.task_runner:parse", {"what", "log"}),
        ("airflow.sdk.execution_time.task_runner:_execute_task", {"context", "ti", "log"}),
        ("airflow.sdk.execution_time.task_runner:main", set()),
        ("airflow.sdk.execution_time.supervisor:ActivitySubprocess.start", {"what", "dag_rel_path", "bundle_info"}),
        ("airflow.sdk.execution_time.supervisor:ActivitySubprocess.update_task_state_if_needed", {"self"}),
        ("airflow.sdk.execution_time.supervisor:ActivitySubprocess._handle_request", {"msg", "log", "req_id"}),
        ("airflow.sdk.execution_time.supervisor:ActivitySubprocess._upload_logs", {"self"}),
        ("airflow.sdk.execution_time.supervisor:WatchedSubprocess.start", {"target", "logger"}),
        ("airflow.sdk.execution_time.supervisor:WatchedSubprocess._check_subprocess_exit", {"self"}),
        ("airflow.sdk.execution_time.supervisor:WatchedSubprocess._cleanup_open_sockets", {"self"}),
        ("airflow.sdk.execution_time.supervisor:InProcessTestSupervisor._Client", {"base_url", "token", "dry_run"}),
        ("airflow.sdk.log:logging_processors", {"json_output"}),
        ("airflow.jobs.scheduler_job_runner:SchedulerJobRunner._start_queued_dagruns", {"session"}),
        ("airflow.jobs.scheduler_job_runner:SchedulerJobRunner._schedule_dag_run", {"dag_run", "session"}),
        (
            "airflow.jobs.scheduler_job_runner:SchedulerJobRunner._executable_task_instances_to_queued",
            {"max_tis", "session"},
        ),
        ("airflow.jobs.scheduler_job_runner:SchedulerJobRunner.check_trigger_timeouts", {"session"}),
        ("airflow.models.taskinstance:TaskInstance.next_retry_datetime", {"self"}),
        ("airflow.models.trigger:Trigger.submit_event", {"trigger_id", "event", "session"}),
        ("airflow.models.trigger:Trigger.submit_failure", {"trigger_id", "exc", "session"}),
        ("airflow.dag_processing.collection:update_dag_parsing_results_in_db", {"bundle_name", "dags", "session"}),
        ("airflow.api_fastapi.execution_api.security:_jwt_bearer", None),
        ("airflow.utils.db:initdb", {"session"}),
        ("airflow.settings:configure_orm", set()),
    ],
)
def test_private_name_is_where_it_was_and_takes_what_it_took(place: str, parameters: set[str] | None):
    module, _, path = place.partition(":")
    found = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    if parameters is not None:
        assert parameters <= set(inspect.signature(found).parameters)


def test_execution_api_answers_in_the_calling_thread_only():
    import threading

    from harness._compat import execution_api

    before = threading.active_count()
    answer = execution_api.client().get("health/ping")
    assert answer.status_code == 200
    assert threading.active_count() == before


def test_a_tasks_channel_takes_the_validators_that_were_made_before():
    import socket

    from airflow.sdk.execution_time import comms

    from harness._compat import kept

    kept.keep_validators()
    with socket.socket() as nothing:
        channels = [comms.CommsDecoder[comms.ToTask, comms.ToSupervisor](socket=nothing) for _ in range(2)]
    assert {id(channel.body_decoder) for channel in channels} == {id(kept.adapter(comms.ToTask))}


def test_requests_look_at_the_signatures_of_overridden_dependencies_once(monkeypatch: pytest.MonkeyPatch):
    import httpx
    from fastapi import Depends, FastAPI
    from fastapi.dependencies import utils

    from harness._compat import execution_api, kept

    app, plain, looked = FastAPI(), utils.get_dependant, []

    def who() -> str:
        return "somebody"

    @app.get("/")
    def greet(name: str = Depends(who)) -> str:
        return name

    app.dependency_overrides[who] = lambda: "nobody"
    monkeypatch.setattr(kept, "dependant_of", kept.keeping(lambda **named: looked.append(named) or plain(**named)))
    with httpx.Client(transport=execution_api._Direct(app), base_url="http://in-process.invalid") as client:
        assert [client.get("/").json() for _ in range(3)] == ["nobody"] * 3

    assert len(looked) == 1
    assert utils.get_dependant is plain


def test_a_task_knows_when_its_last_heartbeat_was():
    from airflow.sdk.execution_time.supervisor import ActivitySubprocess

    assert "_last_heartbeat_attempt" in {field.name for field in ActivitySubprocess.__attrs_attrs__}
