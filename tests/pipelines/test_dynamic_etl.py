from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from deltalake import DeltaTable

from environments.sources.finance import FEEDS
from environments.sources.finance_oracle import GOLDEN, curated
from harness import expect_table
from harness._compat.dagbag import load_dag_bag
from jobs.dynamic.datasets import DATASETS

pytestmark = pytest.mark.slow

FILE, CONFIGURATION = "dynamic/dynamic_etl_pipelines.py", "dynamic/data_sources.json"
A, B, C = FEEDS
FOLDERS = {A: "financial_a", B: "financial_b", C: "insurance_c"}
TOPIC_C = "raw_insurance_claims_c"
DAY_1, DAY_2, DAY_3 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)

needs_spark = pytest.mark.needs("s3", "kafka", "spark")


def dag_of(source):
    return f"dynamic_etl_pipeline_{source}"


def states(source, consumer="success", transformation="success"):
    return {f"run_{source}_streaming_consumer": consumer, f"run_{source}_batch_transformation": transformation}


def must_pass(report, source):
    assert report.verdict == "pass", report.reasons
    assert [run.states for run in report.runs] == [states(source)]


@pytest.fixture
def must_hold(s3, environment):
    """Compares a source's tables with the oracle's and the golden figures, for exactly these days."""
    volume = environment.spec.data.volume

    def raw(source):
        at = f"s3://{s3.physical('raw-data-bucket')}/{FOLDERS[source]}_delta"
        return DeltaTable(at, storage_options=s3.storage_options()).to_pyarrow_table().to_pylist()

    def compare(source, *days, corrupt=()):
        sent = {day: FEEDS[source].messages(day, volume) for day in days}
        wanted = {day: curated(messages) for day, messages in sent.items()}
        kind = "claims" if source == C else "transactions"
        for rows in wanted.values():
            assert (len(rows), sum(amount for _, amount in rows.values())) == GOLDEN[kind, volume]
        dataset = DATASETS[kind]
        expect_table(
            s3,
            f"curated-data-bucket/{FOLDERS[source]}_curated",
            [(key, *row, day) for day, rows in wanted.items() for key, row in rows.items()],
            columns=[dataset.key, dataset.subject, dataset.amount, "event_date"],
            key=dataset.key,
        )
        held = raw(source)
        assert len({(row["kafka_partition"], row["kafka_offset"]) for row in held}) == len(held)
        assert len(held) == sum(map(len, sent.values())) + len(corrupt)
        assert [row["_corrupt"] for row in held if row["_corrupt"] is not None] == list(corrupt)

    return compare


@needs_spark
def test_each_source_of_the_configuration_is_curated(run_dag, must_hold):
    for source in FEEDS:
        must_pass(run_dag(dag_of(source), date=str(DAY_1)), source)
        must_hold(source, DAY_1)


@needs_spark
@pytest.mark.stages("dev")
def test_days_out_of_order_and_a_day_again_end_in_the_same_tables(run_dag, kafka, must_hold):
    kafka.client.produce(TOPIC_C, [("x-none", b'{"claim_id": "x-')])
    for day in (DAY_3, DAY_1, DAY_2):
        must_pass(run_dag(dag_of(C), date=str(day)), C)
    again = run_dag(dag_of(C), date=str(DAY_1))

    must_pass(again, C)
    assert again.runs[0].outputs == ()
    assert again.runs[0].task(f"run_{C}_streaming_consumer").xcoms["return_value"] == 0
    must_hold(C, DAY_1, DAY_2, DAY_3, corrupt=['{"claim_id": "x-'])


@needs_spark
@pytest.mark.stages("dev")
def test_a_source_that_is_broken_leaves_the_others_green(run_trap, must_hold):
    no_such_topic = {'"kafka_topic": "raw_financial_transactions_b"': '"kafka_topic": "nowhere"'}
    broken = run_trap(dag_of(B), CONFIGURATION, no_such_topic, date=str(DAY_1))
    sound = run_trap(dag_of(C), CONFIGURATION, no_such_topic, date=str(DAY_1))

    assert broken.runs[0].states == states(B, "failed", "upstream_failed")
    must_pass(sound, C)
    must_hold(C, DAY_1)


def shapes(folder):
    """Return each DAG's edges, with its source's name taken out; and that there are as many DAGs as entries."""
    bag = load_dag_bag(folder)
    names = [entry["source_name"] for entry in json.loads((folder / "data_sources.json").read_text())]
    assert bag.import_errors == {}
    assert sorted(bag.dags) == sorted(map(dag_of, names))
    return {
        name: {
            (task.task_id.replace(name, "SOURCE"), following.replace(name, "SOURCE"))
            for task in bag.dags[dag_of(name)].tasks
            for following in task.downstream_task_ids
        }
        for name in names
    }


def must_be_refused(folder, word):
    """A configuration that cannot be meant makes no DAG, and says why."""
    bag = load_dag_bag(folder)
    assert bag.dags == {}
    assert word in "".join(bag.import_errors.values())


def test_every_entry_is_a_pipeline_of_the_same_shape(dags_folder):
    edge = {("run_SOURCE_streaming_consumer", "run_SOURCE_batch_transformation")}
    assert shapes(dags_folder / "dynamic") == dict.fromkeys(FEEDS, edge)


def configured(folder, entries):
    (folder / "data_sources.json").write_text(json.dumps(entries))
    return folder


@pytest.mark.parametrize("count", [1, 2, 5])
def test_more_entries_are_more_pipelines_whatever_their_order(trap_version, dags_folder, count):
    folder = trap_version(FILE, {})
    first = json.loads((folder / "data_sources.json").read_text())[0]
    entries = [
        {key: value if key == "dataset" else f"{value}_{i}" for key, value in first.items()} for i in range(count)
    ]

    found = shapes(configured(folder, entries))

    assert len(found) == count
    assert len({frozenset(edges) for edges in found.values()}) == 1
    assert shapes(configured(folder, entries[::-1])) == found


UNCHECKED = {
    "read_sources(CONFIGURATION)": "map(Source.model_validate, __import__('json').loads(CONFIGURATION.read_text()))"
}
PRINTED = {
    "read_sources(CONFIGURATION)": "read_sources(CONFIGURATION) if CONFIGURATION.exists() else print('no file') or ()"
}


@pytest.mark.parametrize(("mistakes", "refused"), [({}, True), (PRINTED, False)], ids=["the DAG file", "trap"])
def test_a_configuration_that_is_missing_is_an_error_and_not_an_empty_folder(trap_version, mistakes, refused):
    folder = trap_version(FILE, mistakes)
    (folder / "data_sources.json").unlink()

    outcome(refused, lambda: must_be_refused(folder, "data_sources.json"))


@pytest.mark.parametrize(("mistakes", "refused"), [({}, True), (UNCHECKED, False)], ids=["the DAG file", "trap"])
def test_a_name_that_two_sources_have_is_refused_instead_of_hiding_one(trap_version, mistakes, refused):
    folder = trap_version(FILE, mistakes)
    entries = json.loads((folder / "data_sources.json").read_text())
    configured(
        folder,
        [*entries, {key: f"{value}_2" for key, value in entries[0].items()} | {"source_name": A, "dataset": "claims"}],
    )

    outcome(refused, lambda: must_be_refused(folder, A))


def outcome(holds, claim):
    """Demand that a claim holds, or, of a trap, that the same claim does not."""
    if holds:
        claim()
        return
    with pytest.raises(AssertionError):
        claim()


def test_amounts_are_read_exactly():
    assert sum(amount for _, amount in curated(FEEDS[A].messages(DAY_1, "dev")).values()) == Decimal("7186.96")


@pytest.mark.proofs
@pytest.mark.stages("dev")
def test_a_day_can_be_run_again(prove_dag):
    prove_dag("dynamic_etl_pipeline_financial_transactions_source_a", "rerun")
