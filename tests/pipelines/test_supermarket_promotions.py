from __future__ import annotations

from datetime import date

import pytest
from airflow.sdk import BaseSensorOperator

from environments.seeds.ingest_supermarket_data import deliver
from environments.sources.promotions import MARKER, SUPERMARKETS, VOLUMES, PromotionSource
from environments.sources.promotions_oracle import expected
from harness import expect_objects, expect_table
from harness._compat.dagbag import load_dag_bag
from harness.checks import Request, Settings, check
from harness.errors import ConfigError
from jobs.supermarket.contract import raw_prefix

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres", "s3")]

DAG, FILE = "ingest_supermarket_data", "supermarket/ingest_supermarket_data.py"
DAY_1, DAY_2, DAY_3 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)

#: three days out of order, and one of them again
after_three_days = pytest.mark.dag_runs(DAG, DAY_3, DAY_1, DAY_2, DAY_1)
#: the ten hours of a delivery window pass in two seconds
HURRY = 18_000


def chain(number, wait="success", rest="success"):
    """Return the states of a supermarket's chain."""
    steps = ("copy_to_raw_", "process_", "trigger_create_metrics_dag_")
    return {f"wait_for_supermarket_{number}": wait} | {f"{step}supermarket_{number}": rest for step in steps}


def late(number):
    return chain(number, wait="failed", rest="upstream_failed")


def states(chains):
    return {task: state for one in chains for task, state in one.items()}


ALL_GREEN = states(map(chain, SUPERMARKETS))


@pytest.fixture
def source(environment):
    return PromotionSource(environment.spec.data.seed, VOLUMES[environment.spec.data.volume])


@pytest.fixture
def must_hold(s3, postgres, source):
    """Compares archive and tables with the oracle's, for exactly these (supermarket, day)."""

    def compare(*deliveries):
        wanted = {one: expected(source, *one) for one in deliveries}
        archive = {
            raw_prefix(number, str(day)).removeprefix("raw/") + name: content
            for number, day in deliveries
            for name, content in source.delivery(number, day).items()
        }
        expect_objects(s3, "lake/raw/", archive)
        rows = [(*one, product, *prices) for one in deliveries for product, prices in wanted[one].promotions.items()]
        columns = ["supermarket_id", "day", "product_id", "price_before", "price_promo"]
        expect_table(postgres, "warehouse.public.promotions", rows, columns=columns)
        counted = "SELECT supermarket_id, day, reason, count(*) FROM promotion_rejects GROUP BY 1, 2, 3"
        rejected = {(*one, reason, count) for one in deliveries for reason, count in wanted[one].rejected.items()}
        assert set(postgres.client_for("warehouse").execute(counted).fetchall()) == rejected
        metrics = [(*one, *wanted[one].metrics) for one in deliveries]
        expect_table(postgres, "warehouse.public.promotion_metrics", metrics, columns=METRICS)

    return compare


METRICS = ["supermarket_id", "day", "promotions", "saved", "mean_discount"]


def must_pass(report, day=DAY_1):
    """One green run, and below it one green run of `create_metrics` for each supermarket of that day."""
    (run,) = report.runs
    assert report.verdict == "pass", report.reasons
    assert run.states == ALL_GREEN
    assert sorted(child.run_id for child in run.triggered) == [f"supermarket_{n}__{day}" for n in SUPERMARKETS]
    assert [child.states for child in run.triggered] == [{"create_metrics": "success"}] * len(SUPERMARKETS)


def must_wait_in_vain(report, *missing):
    """Those supermarkets' chains stop at the sensor; the others are done."""
    (run,) = report.runs
    assert run.verdict == "fail"
    assert run.states == states(late(n) if n in missing else chain(n) for n in SUPERMARKETS)
    assert len(run.triggered) == len(SUPERMARKETS) - len(missing)


@after_three_days
def test_three_days_of_promotions_arrive_with_their_metrics_in_whichever_order_they_come(dag_runs, must_hold):
    for report, day in zip(dag_runs, (DAY_3, DAY_1, DAY_2, DAY_1), strict=True):
        must_pass(report, day)
    must_hold(*[(number, day) for day in (DAY_1, DAY_2, DAY_3) for number in SUPERMARKETS])


@after_three_days
def test_running_a_day_again_changes_nothing(dag_runs):
    assert dag_runs[-1].runs[0].outputs == ()


@pytest.mark.stages("dev")
def test_a_supermarket_that_does_not_deliver_holds_up_nobody_else(run_dag, s3, source, must_hold):
    for number in (1, 2, 4):
        deliver(s3, source, number, DAY_1)
    report = run_dag(DAG, date=str(DAY_1), seed=False, compression=HURRY)

    must_wait_in_vain(report, 3)
    assert report.runs[0].task("wait_for_supermarket_3").tries[-1].error
    must_hold(*[(number, DAY_1) for number in (1, 2, 4)])


@pytest.mark.stages("dev")
def test_a_delivery_is_taken_when_its_marker_comes_and_not_before(run_dag, s3, source, must_hold):
    for number in SUPERMARKETS:
        deliver(s3, source, number, DAY_1, without=[MARKER] if number == 2 else [])
    looked = []

    def complete(event):
        if event.task == "wait_for_supermarket_2" and event.state == "up_for_reschedule":
            looked.append(event)
            deliver(s3, source, 2, DAY_1)

    must_pass(run_dag(DAG, date=str(DAY_1), seed=False, on_event=complete))
    assert looked
    must_hold(*[(number, DAY_1) for number in SUPERMARKETS])


def deliver_yesterday_alone(s3, source):
    for number in SUPERMARKETS:
        deliver(s3, source, number, DAY_1)


@pytest.mark.stages("dev")
def test_yesterdays_files_are_not_taken_for_todays(run_dag, s3, source):
    deliver_yesterday_alone(s3, source)
    must_wait_in_vain(run_dag(DAG, date=str(DAY_2), seed=False, compression=HURRY), *SUPERMARKETS)


@pytest.mark.stages("dev")
def test_a_folder_that_is_the_same_for_all_days_would_take_yesterdays_files(run_trap, s3, source):
    deliver_yesterday_alone(s3, source)
    same_for_all_days = {'prefix=delivery_prefix(number, "{{ ds }}")': f'prefix=delivery_prefix(number, "{DAY_1}")'}
    report = run_trap(DAG, FILE, same_for_all_days, date=str(DAY_2), seed=False, compression=HURRY)

    with pytest.raises(AssertionError):
        must_wait_in_vain(report, *SUPERMARKETS)
    assert report.verdict == "pass"


@pytest.mark.stages("dev")
@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('trigger_dag_id="create_metrics"', 'trigger_dag_id="create_metric"', "create_metric"),
        ('conf={"supermarket": number', 'conf={"supermarket_id": number', "supermarket"),
    ],
    ids=["unknown DAG", "other key in conf"],
)
def test_a_wrong_name_fails_the_task_that_triggers(run_trap, right, wrong, said):
    report = run_trap(DAG, FILE, {right: wrong}, date=str(DAY_1))

    with pytest.raises(AssertionError):
        must_pass(report)
    (run,) = report.runs
    failed = [one for one in run.tasks if one.task_id.startswith("trigger")]
    assert {one.state for one in failed} == {"failed"}
    assert said in failed[0].tries[-1].error


def sensors_hold_no_slot(folder):
    """A sensor that pokes keeps its slot all day; after six days three late supermarkets hold sixteen of them."""
    dag = load_dag_bag(folder).dags[DAG]
    waits = [task for task in dag.tasks if isinstance(task, BaseSensorOperator)]
    assert len(waits) == len(SUPERMARKETS)
    assert {(task.mode, task.timeout) for task in waits} == {("reschedule", 36_000)}


def test_a_sensor_holds_no_slot_between_two_looks_and_gives_up_with_its_window(dags_folder):
    sensors_hold_no_slot(dags_folder / "supermarket")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [('mode="reschedule"', 'mode="poke"'), ("timeout=WINDOW.total_seconds(),", "")],
    ids=["slots are kept", "a week of waiting"],
)
def test_a_sensor_that_would_block_the_others_is_found_out(trap_version, right, wrong):
    folder = trap_version(FILE, {right: wrong})

    with pytest.raises(AssertionError):
        sensors_hold_no_slot(folder)


def test_metrics_are_never_made_by_a_schedule(dags_folder):
    dag = load_dag_bag(dags_folder / "supermarket").dags["create_metrics"]
    assert dag.schedule is None


def all_is_defined(folder, environment):
    """Hold a folder's DAGs against what the environment has: the storage's client would fall back on other logins."""
    request = Request((folder,), Settings(select=("DAG8",)), environment, load=False, cache=False)
    findings = check(request).findings
    assert not findings, "; ".join(finding.message for finding in findings)


def test_every_connection_and_variable_is_defined(dags_folder, environment):
    all_is_defined(dags_folder / "supermarket", environment)


def test_a_connection_that_nobody_defined_is_named_before_a_run(trap_version, environment):
    folder = trap_version(FILE, {'aws_conn_id="lake"': 'aws_conn_id="fs_default"'})

    with pytest.raises(AssertionError, match="fs_default"):
        all_is_defined(folder, environment)


@pytest.mark.stages("dev")
def test_one_run_id_for_all_supermarkets_would_leave_metrics_out(run_trap):
    shared = {'trigger_run_id=f"supermarket_{number}__" + "{{ ds }}"': 'trigger_run_id="{{ ds }}"'}
    report = run_trap(DAG, FILE, shared, date=str(DAY_1))

    with pytest.raises(AssertionError):
        must_pass(report)


@pytest.mark.stages("dev")
def test_metrics_are_made_by_hand_for_the_supermarket_that_is_asked_for(run_dag, postgres):
    report = run_dag("create_metrics", date=str(DAY_1), conf={"supermarket": 3, "day": str(DAY_2)})

    assert report.verdict == "pass", report.reasons
    expect_table(postgres, "warehouse.public.promotion_metrics", [(3, DAY_2, 0, 0, None)], columns=METRICS)


@pytest.mark.stages("dev")
@pytest.mark.parametrize(
    "conf", [{}, {"supermarket_id": 1, "day": "2026-01-01"}, {"supermarket": 5, "day": "2026-01-01"}]
)
def test_metrics_of_nothing_in_particular_are_refused(run_dag, conf):
    with pytest.raises(ConfigError, match="supermarket"):
        run_dag("create_metrics", date=str(DAY_1), conf=conf)


@pytest.mark.proofs
@pytest.mark.stages("dev")
@pytest.mark.parametrize(
    ("dag_id", "properties"),
    [("ingest_supermarket_data", ["rerun"]), ("create_metrics", ["rerun", "masked", "atomic"])],
)
def test_a_day_can_be_run_again(prove_dag, dag_id, properties):
    prove_dag(dag_id, *properties)
