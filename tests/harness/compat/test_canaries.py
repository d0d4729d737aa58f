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
