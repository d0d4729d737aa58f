from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from environments.sources.umbrella import CLOSED, NO_SALES, NO_WEATHER, VOLUMES, UmbrellaSource
from environments.sources.umbrella_oracle import expected
from harness import expect_table
from harness._compat.dagbag import load_dag_bag
from jobs.umbrella.contract import key

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres", "s3", "http")]

DAG, FILE = "umbrella_sales", "umbrella/umbrella_sales.py"
DAY = timedelta(days=1)
DAY_1, DAY_2, DAY_3 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)

WEATHER = {"start": "success", "fetch_weather": "success", "clean_weather": "success"}
REST = dict.fromkeys(["join_erp_branch", "join_datasets", "train_model", "latest_only", "deploy_model"], "success")
NOT_DEPLOYED = REST | {"deploy_model": "skipped"}


def erp(chosen, other):
    """Return the states of the ERP tasks when the branch takes one of the two."""
    taken = {"pick_erp_system": "success", f"fetch_sales_{chosen}": "success", f"clean_sales_{chosen}": "success"}
    return taken | {f"fetch_sales_{other}": "skipped", f"clean_sales_{other}": "skipped"}


OLD, NEW = erp("old", "new"), erp("new", "old")


@pytest.fixture
def source(environment):
    return UmbrellaSource(environment.spec.data.seed, VOLUMES[environment.spec.data.volume])


@pytest.fixture
def must_hold(s3, postgres, source):
    """Compares table, models and registry with the oracle's for exactly these days."""

    def compare(*days):
        wanted = {day: expected(source, day) for day in days}
        rows = [(day, store, *row) for day in days for store, row in wanted[day].demand.items()]
        columns = ["day", "store_id", "units", "revenue", "temp_c", "rain_mm"]
        expect_table(postgres, "warehouse.public.umbrella_demand", rows, columns=columns)
        models = {day: model_of(s3, day) for day in days}
        for day, model in models.items():
            fit = (model["intercept"], model["per_degree"], model["per_mm"])
            assert fit == pytest.approx(wanted[day].coefficients, abs=1e-6)
        registered = [(day, key("models", day), len(wanted[day].demand), models[day]["rmse"]) for day in days]
        columns = ["day", "object_key", "row_count", "rmse"]
        expect_table(postgres, "warehouse.public.umbrella_models", registered, columns=columns)

    return compare


def model_of(s3, day):
    return json.loads(s3.client.get_object(Bucket=s3.physical("lake"), Key=key("models", day))["Body"].read())


def deployed(postgres):
    return postgres.client_for("warehouse").execute("SELECT day, model_id FROM umbrella_deployed").fetchall()


def days_of(postgres):
    """Return the registry: day to model."""
    return dict(postgres.client_for("warehouse").execute("SELECT day, model_id FROM umbrella_models").fetchall())


def must_be_in_order(run):
    """Each clean follows its own fetch, and the join all of them."""
    done = [name for name, state in run.states.items() if state == "success"]
    for kind in [name.removeprefix("clean_") for name in done if name.startswith("clean_")]:
        assert ended(run, f"fetch_{kind}") <= run.task(f"clean_{kind}").start
        assert ended(run, f"clean_{kind}") <= run.task("join_datasets").start


def ended(run, name):
    return run.task(name).start + timedelta(seconds=run.task(name).seconds)


def must_pass(report, *states):
    assert report.verdict == "pass", report.reasons
    assert [run.states for run in report.runs] == list(states)


@pytest.mark.dag_runs(DAG, DAY_3, DAY_1, DAY_2)
def test_three_days_across_the_switch_of_the_erp_train_the_exact_models_in_whichever_order(dag_runs, must_hold):
    for report, system in zip(dag_runs, (NEW, OLD, NEW), strict=True):
        must_pass(report, WEATHER | system | NOT_DEPLOYED)
        must_be_in_order(report.runs[0])
    must_hold(DAY_1, DAY_2, DAY_3)


@pytest.mark.stages("dev")
def test_running_a_day_again_changes_nothing_and_deploys_nothing_anew(run_dag, postgres):
    first = run_dag(DAG, date=str(DAY_1), manual=True)
    again = run_dag(DAG, date=str(DAY_1), manual=True)

    must_pass(first, WEATHER | OLD | REST)
    must_pass(again, WEATHER | OLD | REST)
    assert again.runs[0].outputs == ()


@pytest.mark.stages("dev")
def test_only_the_newest_of_three_intervals_is_deployed(run_dag, postgres):
    before = datetime.now(UTC).date()
    days = [before - 3 * DAY, before - 2 * DAY, before - DAY]
    report = run_dag(DAG, from_=str(days[0]), to=str(days[-1]))
    after = datetime.now(UTC).date()

    assert report.verdict == "pass", report.reasons
    chosen = [day for day, run in zip(days, report.runs, strict=True) if run.states["deploy_model"] == "success"]
    # when midnight passes while the test runs, the newest interval may be one that was not run
    assert chosen == [days[-1]] or after != before
    models = days_of(postgres)
    assert list(models) == days
    assert not chosen or deployed(postgres) == [(chosen[0], models[chosen[0]])]


@pytest.mark.stages("dev")
def test_a_manual_run_of_an_older_day_leaves_the_newer_model_deployed(run_dag, postgres):
    # a manual run takes the last interval that was complete at its date
    must_pass(run_dag(DAG, date=str(DAY_3), manual=True), WEATHER | NEW | REST)
    newer = deployed(postgres)
    must_pass(run_dag(DAG, date=str(DAY_2), manual=True), WEATHER | OLD | REST)

    assert deployed(postgres) == newer == [(DAY_2, days_of(postgres)[DAY_2])]


@pytest.mark.stages("dev")
def test_a_day_without_sales_is_skipped_and_leaves_the_old_data(run_dag, must_hold):
    run_dag(DAG, date=str(DAY_1))
    report = run_dag(DAG, date=str(CLOSED))

    must_pass(report, WEATHER | NEW | REST | dict.fromkeys(["train_model", "latest_only", "deploy_model"], "skipped"))
    must_hold(DAY_1)


@pytest.mark.stages("dev")
@pytest.mark.parametrize(
    ("day", "failed", "stopped", "unharmed"),
    [
        (NO_WEATHER, "fetch_weather", ["clean_weather"], NEW | {"join_erp_branch": "success"}),
        (NO_SALES, "fetch_sales_new", ["clean_sales_new", "join_erp_branch"], WEATHER),
    ],
    ids=["weather", "chosen ERP"],
)
def test_an_outage_of_one_upstream_stops_what_needs_it_and_nothing_else(run_dag, day, failed, stopped, unharmed):
    (run,) = run_dag(DAG, date=str(day)).runs

    assert run.verdict == "fail"
    assert run.states[failed] == "failed"
    assert "503" in run.task(failed).tries[-1].error
    assert {run.states[name] for name in [*stopped, "join_datasets", "train_model"]} == {"upstream_failed"}
    assert {name: run.states[name] for name in unharmed} == unharmed


@pytest.mark.stages("dev")
def test_a_join_with_the_default_rule_would_skip_all_after_it(run_trap):
    rule = "trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS"
    report = run_trap(DAG, FILE, {rule: "trigger_rule=TriggerRule.ALL_SUCCESS"}, date=str(DAY_1))

    with pytest.raises(AssertionError):
        must_pass(report, WEATHER | OLD | NOT_DEPLOYED)
    assert report.runs[0].states["train_model"] == "skipped"


@pytest.mark.stages("dev")
def test_a_model_under_a_random_id_would_change_the_registry_at_each_run(run_trap):
    random_id = "return register(replace(model, rmse=model.rmse + __import__('random').random()), "
    mistakes = {
        "return register(model, ": random_id,
        "from datetime import": "from dataclasses import replace\nfrom datetime import",
    }
    run_trap(DAG, FILE, mistakes, date=str(DAY_1))
    again = run_trap(DAG, FILE, mistakes, date=str(DAY_1))

    with pytest.raises(AssertionError):
        assert again.runs[0].outputs == ()


def trained_before_deployed(folder):
    """Tell whether the model is trained before it is deployed, and whether it is known to be the newest one."""
    dag = load_dag_bag(folder).dags[DAG]
    assert dag.get_task("deploy_model").upstream_task_ids == {"latest_only", "train_model"}


def test_a_deployment_comes_after_its_training(dags_folder):
    trained_before_deployed(dags_folder / "umbrella")


def test_a_deployment_after_latest_only_alone_would_not_wait_for_the_training(trap_version):
    right = 'model_id >> LatestOnlyOperator(task_id="latest_only") >> deploy_model(model_id)'
    wrong = 'LatestOnlyOperator(task_id="latest_only") >> deploy_model("{{ ti.xcom_pull(\'train_model\') }}")'
    folder = trap_version(FILE, {right: wrong})

    with pytest.raises(AssertionError):
        trained_before_deployed(folder)


@pytest.mark.proofs
@pytest.mark.stages("dev")
def test_a_day_can_be_run_again_and_no_task_fails_unseen(prove_dag):
    prove_dag("umbrella_sales", "rerun", "masked")
