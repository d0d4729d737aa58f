from __future__ import annotations

from unittest.mock import create_autospec

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.providers.http.hooks.http import HttpHook
from airflow.providers.http.sensors.http import HttpSensor
from airflow.sdk.exceptions import AirflowSensorTimeout
from requests import Response

from harness.unit import resume_operator, run_operator


def response(state: str) -> Response:
    made = create_autospec(Response, instance=True)
    made.json.return_value = {"state": state}
    return made


def ready(response: Response) -> bool:
    return bool(response.json()["state"] == "ready")


@pytest.fixture
def sensor() -> HttpSensor:
    return HttpSensor(
        task_id="wait",
        http_conn_id="http_default",
        endpoint="exports/{{ ds }}",
        response_check=ready,
        poke_interval=60,
        timeout=600,
    )


def test_sensor_asks_until_the_export_is_ready(sensor, mock_hook, task_context):
    answers = iter([response("running"), response("running"), response("ready")])
    hook = mock_hook("http_default", run=lambda *_, **__: next(answers))
    run = run_operator(sensor, task_context(sensor, "2026-01-02"))
    assert run.state == "success"
    assert (hook.run.call_count, run.waited) == (3, 120)
    assert hook.run.call_args.args == ("exports/2026-01-02",)
    assert run.logs.at("info").count("Poking: exports/2026-01-02") == 3


def test_sensor_times_out_when_the_export_is_never_ready(sensor, mock_hook, task_context):
    mock_hook("http_default", run=response("running"))
    with pytest.raises(AirflowSensorTimeout):
        run_operator(sensor, task_context(sensor))


def test_error_that_is_not_404_is_no_reason_to_wait(sensor, mock_hook, task_context):
    mock_hook("http_default", run=AirflowException("500:Internal Server Error"))
    with pytest.raises(AirflowException, match="500"):
        run_operator(sensor, task_context(sensor))


def test_sensor_in_reschedule_mode_frees_its_slot(mock_hook, task_context):
    mock_hook("http_default", run=AirflowException("404:Not Found"))
    sensor = HttpSensor(task_id="wait", endpoint="exports", mode="reschedule", poke_interval=60)
    run = run_operator(sensor, task_context(sensor))
    assert run.state == "up_for_reschedule"
    assert run.reschedule is not None


def test_deferred_sensor_names_its_trigger_and_goes_on_with_its_event(mock_hook, task_context):
    mock_hook("http_default", run=AirflowException("404:Not Found"))
    sensor = HttpSensor(task_id="wait", endpoint="exports/{{ ds }}", deferrable=True)
    context = task_context(sensor, "2026-01-02")
    run = run_operator(sensor, context)
    assert run.state == "deferred"
    assert run.deferral.trigger == "airflow.providers.http.triggers.http.HttpSensorTrigger"
    assert run.deferral.arguments["endpoint"] == "exports/2026-01-02"
    assert resume_operator(sensor, run.deferral, True, context).state == "success"


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda: HttpHook(methd="GET"), "methd"),
        (lambda: HttpHook().run("exports", {}, {}, {}, "GET"), "too many positional arguments"),
    ],
    ids=["constructor", "one argument too many"],
)
def test_call_that_the_hook_does_not_allow_is_refused(mock_hook, task_context, monkeypatch, wrong, complaint):
    mock_hook("http_default", run=response("ready"))
    sensor = HttpSensor(task_id="wait", endpoint="exports")
    monkeypatch.setattr(HttpSensor, "poke", lambda self, context: wrong())
    with pytest.raises(TypeError, match=complaint):
        run_operator(sensor, task_context(sensor))
