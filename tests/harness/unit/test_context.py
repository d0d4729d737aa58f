from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseOperator, CronDataIntervalTimetable, Variable, task

from harness.errors import ConfigError
from harness.unit import run_operator


class Says(BaseOperator):
    """Returns its template field."""

    template_fields = ("words",)

    def __init__(self, *, words, **kwargs):
        super().__init__(**kwargs)
        self.words = words

    def execute(self, context):
        return self.words


def test_template_sees_the_last_successful_run(task_context):
    template = "{{ prev_data_interval_start_success | ds }} {{ prev_start_date_success | ds }}"
    assert said(task_context, template, "2026-01-03", previous="2026-01-01") == "2026-01-01 2026-01-01"


def executed(task_context, operator):
    return run_operator(operator, task_context(operator))


def said(task_context, words, *args, **facts):
    operator = Says(task_id="says", words=words, params=facts.pop("defaults", None))
    return run_operator(operator, task_context(operator, *args, **facts)).result


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ ds }} {{ ds_nodash }} {{ ts }}", "2026-01-02 20260102 2026-01-02T00:00:00+00:00"),
        ("{{ data_interval_start }} {{ data_interval_end }}", "2026-01-02 00:00:00+00:00 2026-01-02 00:00:00+00:00"),
        ("{{ macros.ds_add(ds, -1) }}", "2026-01-01"),
        ("{{ run_id }} {{ dag.dag_id }} {{ task.task_id }}", "scheduled__2026-01-02T00:00:00+00:00 unit_test says"),
        ("{{ ti.try_number }} {{ ti.map_index }} {{ dag_run.run_type.value }}", "1 -1 scheduled"),
        ("{{ prev_data_interval_end_success }}", "None"),
    ],
)
def test_template_sees_what_a_run_of_that_date_has(task_context, template, text):
    assert said(task_context, template, "2026-01-02") == text


def test_fields_can_be_rendered_without_a_run(task_context):
    operator = Says(task_id="says", words="{{ ds }}")
    operator.render_template_fields(task_context(operator, "2026-01-02"))
    assert operator.words == "2026-01-02"


def test_running_leaves_the_operator_as_it_was(task_context):
    operator = Says(task_id="says", words="{{ ds }}")
    runs = [run_operator(operator, task_context(operator, day)) for day in ("2026-01-02", "2026-01-03")]
    assert [run.result for run in runs] == ["2026-01-02", "2026-01-03"]
    assert operator.words == "{{ ds }}"


def test_timetable_of_the_dag_gives_the_interval(task_context):
    schedule = CronDataIntervalTimetable("0 6 * * *", timezone="America/New_York")
    with DAG("weekly", schedule=schedule, start_date=datetime(2025, 1, 1, tzinfo=UTC)):
        operator = EmptyOperator(task_id="end")
    context = task_context(operator, "2026-01-02T11:00:00+00:00")
    assert context["data_interval_start"] == datetime(2026, 1, 2, 11, tzinfo=UTC)
    assert context["data_interval_end"] == datetime(2026, 1, 3, 11, tzinfo=UTC)


def test_day_without_a_run_is_refused(task_context):
    with DAG("mondays", schedule="0 0 * * 1", start_date=datetime(2025, 1, 1, tzinfo=UTC)):
        operator = EmptyOperator(task_id="end")
    with pytest.raises(ConfigError, match=r"mondays has no run on 2026-01-02 .*its schedule is 0 0 \* \* 1"):
        task_context(operator, "2026-01-02")


def test_interval_can_be_stated(task_context):
    interval = ("2026-01-02", "2026-01-09")
    assert said(task_context, "{{ data_interval_end | ds }}", "2026-01-02", data_interval=interval) == "2026-01-09"


def test_run_without_a_logical_date_has_no_ds(task_context):
    operator = EmptyOperator(task_id="end")
    context = task_context(operator, None)
    assert "ds" not in context
    assert context["dag_run"].run_type == "manual"


def test_date_that_cannot_be_read_is_refused(task_context):
    with pytest.raises(ConfigError, match="'2026-13-01' is not a date"):
        task_context(EmptyOperator(task_id="end"), "2026-13-01")


def test_params_are_overridden_by_conf_and_by_the_test(task_context):
    words = "{{ params.limit }} {{ dag_run.conf }}"
    assert said(task_context, words, defaults={"limit": 1}) == "1 {}"
    assert said(task_context, words, defaults={"limit": 1}, conf={"limit": 2}) == "2 {'limit': 2}"
    assert said(task_context, words, defaults={"limit": 1}, params={"limit": 3}) == "3 {}"


def test_xcoms_of_earlier_tasks_are_pulled(task_context):
    given = {
        "extract": [1, 2],
        ("extract", "rows"): 2,
        ("part", "return_value", 0): "a",
        ("part", "return_value", 1): "b",
    }
    operator = Says(
        task_id="says",
        words=[
            "{{ ti.xcom_pull('extract') }}",
            "{{ ti.xcom_pull('extract', key='rows') }}",
            "{{ ti.xcom_pull('part') }}",
        ],
    )
    run = run_operator(operator, task_context(operator, xcoms=given))
    assert run.result == ["[1, 2]", "2", "['a', 'b']"]


def test_xcom_goes_through_airflows_serializer(task_context):
    @task
    def gives():
        return {"day": datetime(2026, 1, 2, tzinfo=UTC), "rows": (1, 2)}

    operator = gives()
    run = run_operator(operator, task_context(operator))
    assert run.xcoms == {"return_value": {"day": datetime(2026, 1, 2, tzinfo=UTC), "rows": (1, 2)}}


def test_value_that_no_xcom_can_hold_fails_the_task(task_context):
    @task
    def gives():
        return object()

    with pytest.raises(TypeError, match=r"(?i)cannot serialize"):
        executed(task_context, gives())


def test_variable_that_a_task_sets_is_found_by_the_next(task_context, airflow_variable):
    airflow_variable("limits", {"rows": 10})

    @task
    def remembers():
        Variable.set("cursor", str(Variable.get("limits", deserialize_json=True)["rows"]))

    executed(task_context, remembers())
    assert said(task_context, "{{ var.value.cursor }}") == "10"


def test_connection_reaches_templates(task_context, airflow_connection):
    airflow_connection("shop", conn_type="http", host="shop.test", extra={"token": "x"})
    assert said(task_context, "{{ conn.shop.host }} {{ conn.shop.extra_dejson.token }}") == "shop.test x"


def test_connection_without_a_type_is_refused(airflow_connection):
    with pytest.raises(ConfigError, match="the connection shop has no conn_type"):
        airflow_connection("shop", host="shop.test")


def test_context_of_another_task_is_refused(task_context):
    with pytest.raises(ConfigError, match=r"context is one of the task unit_test\.other"):
        run_operator(EmptyOperator(task_id="end"), task_context(EmptyOperator(task_id="other")))


def test_question_that_only_a_run_can_answer_is_refused_by_name(task_context):
    @task
    def counts(ti=None):
        return ti.get_dr_count("orders")

    with pytest.raises(ConfigError, match="GetDRCount, which a unit test cannot answer"):
        executed(task_context, counts())


def test_timeout_of_the_task_counts(task_context):
    operator = BashOperator(task_id="slow", bash_command="sleep 30", execution_timeout=timedelta(seconds=0.2))
    with pytest.raises(BaseException, match="Timeout") as raised:
        run_operator(operator, task_context(operator))
    assert type(raised.value).__name__ == "AirflowTaskTimeout"
