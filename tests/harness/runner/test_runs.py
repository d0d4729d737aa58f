"""Which runs a request makes, what they are given, and how they hang together."""

from __future__ import annotations

from datetime import date

import pytest

from harness.errors import ConfigError, NothingChecked, RunError
from harness.runner import Dates


def noted(report, task="note"):
    return [one.task(task).xcoms["return_value"] for one in report.runs]


def test_date_of_a_daily_schedule_is_one_run_with_the_timetables_interval(run_dag):
    (value,) = noted(run_dag("daily"))
    assert (value["ds"], value["start"], value["end"]) == (
        "2026-01-02",
        "2026-01-02 00:00:00+00:00",
        "2026-01-02 00:00:00+00:00",
    )


def test_interval_timetable_gives_its_interval_in_its_own_zone(run_dag):
    (value,) = noted(run_dag("daily_interval"))
    assert (value["start"], value["end"]) == ("2026-01-02 04:00:00+00:00", "2026-01-03 04:00:00+00:00")


def test_date_means_every_run_that_falls_on_it(run_dag):
    report = run_dag("four_a_day")
    assert [one.logical_date.hour for one in report.runs] == [0, 6, 12, 18]


def test_timestamp_means_exactly_one_run(run_dag):
    report = run_dag("four_a_day", dates=Dates(date="2026-01-02T06:00:00+00:00"))
    assert [one.run_id for one in report.runs] == ["scheduled__2026-01-02T06:00:00+00:00"]


def test_both_ends_of_a_range_are_included(run_dag):
    report = run_dag("daily", dates=Dates(from_=date(2026, 1, 1), to=date(2026, 1, 3)))
    assert [one.logical_date.day for one in report.runs] == [1, 2, 3]
    assert report.verdict == "pass"


def test_declared_dates_are_used_when_none_is_given(run_dag):
    declared = {"daily": {"dates": {"from": "2026-02-01", "to": "2026-02-02"}}}
    report = run_dag("daily", dates=Dates(), dags=declared)
    assert [value["ds"] for value in noted(report)] == ["2026-02-01", "2026-02-02"]


def test_dag_without_schedule_runs_at_midnight_by_hand(run_dag):
    report = run_dag("by_hand", conf={"limit": 3})
    (value,) = noted(report)
    assert report.runs[0].run_id.startswith("manual__2026-01-02T00:00:00")
    assert (value["ds"], value["conf"], value["params"]) == ("2026-01-02", {"limit": 3}, {"limit": 3})


@pytest.mark.parametrize(("given", "held"), [(None, {"limit": 5, "since": "2026-01-02"}), ({"limit": 3}, {"limit": 3})])
def test_declared_conf_is_used_when_none_is_given_with_the_date_of_the_run(run_dag, given, held):
    declared = {"by_hand": {"conf": {"limit": 5, "since": "{{ ds }}"}}}
    (value,) = noted(run_dag("by_hand", conf=given, dags=declared))
    assert value["conf"] == held


def test_manual_run_without_a_logical_date(run_dag):
    report = run_dag("by_hand", dates=Dates(date="none"))
    (value,) = noted(report)
    assert (report.runs[0].logical_date, value["ds"]) == (None, None)


def test_manual_run_of_a_scheduled_dag(run_dag):
    report = run_dag("daily", dates=Dates(date="2026-01-02", manual=True))
    assert report.runs[0].run_id.startswith("manual__")


def test_conf_that_breaks_a_param_is_a_mistake_of_the_users(run_dag):
    with pytest.raises(ConfigError, match="limit"):
        run_dag("by_hand", conf={"limit": "many"})


def test_date_without_a_run_names_the_next_one(run_dag):
    with pytest.raises(ConfigError, match=r"has no run on 2026-01-02.*next one is 2026-01-05"):
        run_dag("mondays")


def test_dates_of_the_future_are_refused(run_dag):
    with pytest.raises(ConfigError, match="is not due"):
        run_dag("daily", dates=Dates(date="2999-01-01"))


def test_depends_on_past_holds_the_next_date_back(run_dag):
    report = run_dag("remembers", dates=Dates(from_=date(2026, 1, 1), to=date(2026, 1, 3)))
    assert [one.states["step"] for one in report.runs] == ["success", "failed", None]
    assert "previous" in report.runs[2].reasons[0]


def test_runs_together_keep_their_order_where_they_depend_on_the_past(run_dag):
    report = run_dag("remembers", dates=Dates(from_=date(2026, 1, 1), to=date(2026, 1, 3)), together=True)
    assert [one.states["step"] for one in report.runs] == ["success", "failed", None]


def test_triggered_dag_of_the_folder_is_run_and_attached(run_dag):
    report = run_dag("parent", compression=600)
    (one,) = report.runs
    assert (report.verdict, one.states) == ("pass", {"start": "success"})
    (child,) = one.triggered
    assert (child.dag_id, child.verdict) == ("child", "pass")
    assert child.task("note").xcoms["return_value"]["conf"] == {"from": "parent"}


def test_failure_of_a_triggered_dag_fails_the_run(run_dag):
    report = run_dag("parent_of_broken")
    assert report.verdict == "fail"
    assert report.runs[0].triggered[0].states == {"fail": "failed"}
    assert "the run of child_broken that it triggered failed" in report.reasons


def test_unknown_dag_is_refused_with_the_nearest_names(run_dag):
    with pytest.raises(ConfigError, match="did you mean linear"):
        run_dag("linaer")


def test_unknown_task_is_refused_with_the_nearest_names(run_dag):
    with pytest.raises(ConfigError, match="it has extract"):
        run_dag("linear", task="extrakt")


def test_empty_folder_is_nothing_checked(run_dag, tmp_path):
    empty = tmp_path / "dags"
    empty.mkdir()
    with pytest.raises(NothingChecked):
        run_dag("linear", dags_folder=empty)


def test_file_that_cannot_be_imported_is_named_with_its_line(run_dag, tmp_path):
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "bad.py").write_text("from airflow.sdk import dag\n\nimport nothing_of_the_kind  # for bad\n")
    with pytest.raises(ConfigError, match=r"bad\.py:3: cannot be imported: ModuleNotFoundError"):
        run_dag("bad", dags_folder=folder)


def test_dag_that_cannot_be_serialized_is_named_in_one_line(run_dag, tmp_path):
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "odd.py").write_text(
        "from airflow.sdk import DAG, task\n"
        "from airflow.task.priority_strategy import PriorityWeightStrategy\n"
        "class Unknown(PriorityWeightStrategy):\n"
        "    def get_weight(self, ti):\n"
        "        return 1\n"
        "with DAG('odd', schedule=None):\n"
        "    task(task_id='one', weight_rule=Unknown())(lambda: 1)()\n"
    )
    with pytest.raises(ConfigError, match=r"odd\.py: .*odd") as caught:
        run_dag("odd", dags_folder=tmp_path / "dags")
    assert "Traceback" not in str(caught.value)


def test_plugins_of_the_project_are_loaded(run_dag, tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "dags").mkdir()
    (tmp_path / "plugins" / "first_wins.py").write_text(
        "from airflow.plugins_manager import AirflowPlugin\n"
        "from airflow.task.priority_strategy import PriorityWeightStrategy\n"
        "class Always(PriorityWeightStrategy):\n"
        "    def get_weight(self, ti):\n"
        "        return 1\n"
        "class Plugin(AirflowPlugin):\n"
        "    name = 'first_wins'\n"
        "    priority_weight_strategies = [Always]\n"
    )
    (tmp_path / "dags" / "weighed.py").write_text(
        "from airflow.sdk import DAG, task\n"
        "from first_wins import Always\n"
        "with DAG('weighed', schedule=None):\n"
        "    task(task_id='one', weight_rule=Always())(lambda: 1)()\n"
    )
    report = run_dag("weighed", dags_folder=tmp_path / "dags", project=tmp_path)
    assert (report.verdict, report.reasons) == ("pass", ())


def test_asset_that_another_dag_defines_is_known(run_dag, tmp_path):
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "first.py").write_text(
        "from airflow.sdk import asset\n@asset(schedule=None)\ndef orders():\n    pass\n"
    )
    (tmp_path / "dags" / "second.py").write_text(
        "from airflow.sdk import asset\n"
        "@asset(schedule=None)\n"
        "def totals(context, orders):\n"
        "    print(len(context['inlet_events'][orders]))\n"
    )
    report = run_dag("totals", dags_folder=tmp_path / "dags")
    assert (report.verdict, report.reasons) == ("pass", ())


def test_cause_of_a_task_that_could_not_start_is_in_its_error(run_dag, tmp_path):
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "alone.py").write_text(
        "from airflow.sdk import Asset, asset\n@asset(schedule=None)\ndef totals(context, nowhere):\n    pass\n"
    )
    report = run_dag("totals", dags_folder=tmp_path / "dags")
    assert "ASSET_NOT_FOUND" in report.reasons[0]


def test_dag_whose_id_is_built_at_run_time_is_found(run_dag, tmp_path):
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "made.py").write_text(
        "from airflow.sdk import DAG, task\n"
        "for name in ('a', 'b'):\n"
        "    with DAG('made_' + name, schedule=None) as dag:\n"
        "        task(task_id='one')(lambda: 1)()\n"
        "    globals()[name] = dag\n"
    )
    assert run_dag("made_b", dags_folder=folder).verdict == "pass"


def test_seed_is_called_once_with_the_dates_before_the_runs(run_dag, tmp_path):
    seeded = {"daily": {"seed": "seeds:note_dates"}}
    both = Dates(from_=date(2026, 1, 1), to=date(2026, 1, 2))
    run_dag("daily", dates=both, dags=seeded, environ={"HARNESS_MARKS": str(tmp_path)})
    assert (tmp_path / "seeded").read_text() == "['2026-01-01', '2026-01-02'] [] dev\n"


def test_seed_that_fails_is_no_verdict_but_an_error_with_its_log(run_dag):
    with pytest.raises(RunError, match="the seed seeds:fail failed: ValueError: no such bucket; its log is"):
        run_dag("daily", dags={"daily": {"seed": "seeds:fail"}})
