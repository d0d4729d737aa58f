from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

import pytest
from deltalake import DeltaTable

from environments.seeds.orders_medallion import put_rates
from environments.sources.orders import RATES, VOLUMES, OrderSource
from environments.sources.orders_oracle import Expected, expected, outcome
from harness import expect_table
from jobs.medallion.contract import Layout, landing_key

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres", "s3", "kafka", "spark")]

DAG = "orders_medallion"
DAY_1, DAY_2, DAY_3, DAY_4 = (date(2026, 1, day) for day in (1, 2, 3, 4))
TASKS = ["produce", "bronze", "silver", "gold", "publish", "audit"]
COLUMNS = ["event_date", "country", "orders", "revenue_eur"]
ALL_GREEN = dict.fromkeys(TASKS, "success")

#: three days out of order, one of them again, and a fourth of which nothing was delivered
after_three_days = pytest.mark.dag_runs(DAG, DAY_3, DAY_1, DAY_2, DAY_1, {"date": str(DAY_4), "seed": False})


@dataclass(frozen=True)
class Stores:
    """What the pipeline left in its stores, read without Spark."""

    s3: Any
    postgres: Any

    @property
    def layout(self) -> Layout:
        return Layout(f"s3://{self.s3.physical('lake')}")

    def table(self, path: str, *columns: str) -> list[dict[str, Any]]:
        table = DeltaTable(path, storage_options=self.s3.storage_options())
        return table.to_pyarrow_table(columns=list(columns) or None).to_pylist()

    def silver(self) -> dict[str, tuple[Any, ...]]:
        rows = self.table(self.layout.silver)
        assert len({row["order_id"] for row in rows}) == len(rows)
        return {
            row["order_id"]: (row["event_time"].astimezone(UTC), row["country"], row["status"], row["amount_eur"])
            for row in rows
        }

    def must_hold(self, wanted: Expected) -> None:
        """Compare every layer with the oracle, row by row where that is what is published."""
        places = {tuple(row.values()) for row in self.table(self.layout.bronze, "kafka_partition", "kafka_offset")}
        reasons = Counter(row["reason"] for row in self.table(self.layout.quarantine, "reason"))
        assert len(places) == len(self.table(self.layout.bronze, "kafka_partition")) == wanted.records
        assert reasons == wanted.quarantined
        assert self.silver() == wanted.silver
        revenue = [(*key, *value) for key, value in wanted.gold.items()]
        expect_table(self.s3, "lake/gold/daily_revenue", revenue, columns=COLUMNS, key=COLUMNS[:2])
        expect_table(self.postgres, "warehouse.public.daily_revenue", revenue, columns=COLUMNS)


@pytest.fixture
def stores(s3, postgres):
    return Stores(s3, postgres)


@pytest.fixture
def source(environment):
    return OrderSource(environment.spec.data.seed, VOLUMES[environment.spec.data.volume])


@after_three_days
def test_three_days_give_exactly_what_the_log_says_in_whichever_order_they_come(dag_runs, stores, source):
    *three, _, _ = dag_runs

    assert [report.reasons for report in three if not report.passed] == []
    assert [run.states for report in three for run in report.runs] == [ALL_GREEN] * 3
    wanted = expected(source, [DAY_1, DAY_2, DAY_3])
    stores.must_hold(wanted)
    census = three[-1].runs[0].task("audit").xcoms["return_value"]
    assert (census["bronze"], census["silver"]) == (wanted.records, len(wanted.silver))
    assert (census["superseded"], census["quarantined"]) == (wanted.superseded, sum(wanted.quarantined.values()))
    assert census["revenue_eur"] == str(wanted.revenue)


@after_three_days
def test_running_a_day_again_changes_nothing(dag_runs):
    again = dag_runs[3]

    assert again.passed, again.reasons
    assert again.runs[0].outputs == ()
    assert again.runs[0].task("produce").xcoms["return_value"]["sent"] == 0


@after_three_days
def test_a_day_that_was_not_delivered_fails_and_leaves_the_tables_alone(dag_runs):
    (run,) = dag_runs[4].runs

    assert run.verdict == "fail"
    assert run.states == dict.fromkeys(TASKS, "upstream_failed") | {"produce": "failed"}
    assert "orders/2026-01-04.tsv is not there" in run.task("produce").tries[-1].error
    assert run.outputs == ()


@pytest.mark.stages("dev")
def test_a_broken_currency_table_fails_the_audit_and_is_made_good_by_the_next_run(run_dag, stores, source):
    run_dag(DAG, date=str(DAY_1))
    warehouse = stores.postgres.client_for("warehouse")
    warehouse.execute("UPDATE currency_rates SET eur = 0 WHERE currency = 'USD'")
    warehouse.execute("DELETE FROM currency_rates WHERE currency = 'SEK'")

    broken = run_dag(DAG, date=str(DAY_2))

    assert broken.verdict == "fail"
    assert broken.runs[0].states == ALL_GREEN | {"audit": "failed"}
    (only_try,) = broken.runs[0].task("audit").tries
    waiting = expected(source, [DAY_1, DAY_2]).records - expected(source, [DAY_1]).records
    assert "currency table broken (SEK: no rate, USD: rate 0)" in only_try.error
    assert 0 < orders_waiting(stores) < waiting

    warehouse.execute("UPDATE currency_rates SET eur = %s WHERE currency = 'USD'", [RATES["USD"]])
    warehouse.execute("INSERT INTO currency_rates VALUES ('SEK', %s)", [RATES["SEK"]])

    assert run_dag(DAG, date=str(DAY_2)).verdict == "pass"
    stores.must_hold(expected(source, [DAY_1, DAY_2]))


@pytest.mark.stages("dev")
def test_a_day_without_orders_passes_and_leaves_empty_tables(run_dag, stores):
    put_rates(stores.postgres.client_for("warehouse"))
    stores.s3.client.put_object(Bucket=stores.s3.physical("landing"), Key=landing_key(DAY_1), Body=b"")
    report = run_dag(DAG, date=str(DAY_1), seed=False)

    assert report.verdict == "pass", report.reasons
    assert report.runs[0].states == ALL_GREEN
    stores.must_hold(outcome([], RATES))


def orders_waiting(stores: Stores) -> int:
    return sum(row["reason"] == "no_rate" for row in stores.table(stores.layout.quarantine, "reason"))


@pytest.mark.proofs
@pytest.mark.stages("dev")
def test_no_task_of_it_can_fail_unseen(prove_dag):
    prove_dag("orders_medallion", "masked")
