from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from harness.environment.spec import ConnectionSpec
from harness.errors import ServiceError
from harness.services.registry import bind
from harness.state import diff


def fill(service: Any, rows: list[tuple[int, str]]) -> None:
    service.client.execute("CREATE TABLE orders (id int, name text)")
    with service.client.cursor() as cursor:
        cursor.executemany("INSERT INTO orders VALUES (%s, %s)", rows)


def test_the_client_reads_what_it_wrote(postgres: Any) -> None:
    fill(postgres, [(1, "one"), (2, "two")])
    assert postgres.client.execute("SELECT * FROM orders ORDER BY id").fetchall() == [(1, "one"), (2, "two")]


def test_airflows_hook_works_through_the_connection(postgres: Any, airflow_connection: Any) -> None:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    name = airflow_connection(postgres.connection(ConnectionSpec(service="postgres", database="audit")))
    assert PostgresHook(name).get_first("SELECT current_database()") == (postgres.physical("audit"),)


def test_namespaces_do_not_see_each_other(opened: Any) -> None:
    mine, other = opened("postgres"), opened("postgres")
    fill(mine, [(1, "one")])
    assert other.client.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'orders'").fetchone() == (0,)


def test_closing_a_namespace_drops_its_databases_and_no_others(opened: Any) -> None:
    mine, other = opened("postgres"), opened("postgres")
    held = mine.client_for("audit")
    mine.close()
    names = {name for (name,) in other.client.execute("SELECT datname FROM pg_database")}
    assert not names & set(mine.slice.names["database"].values())
    assert set(other.slice.names["database"].values()) < names
    held.close()


def test_equal_rows_in_any_order_make_equal_snapshots_and_a_changed_row_shows(opened: Any) -> None:
    one, two, three = opened("postgres"), opened("postgres"), opened("postgres")
    fill(one, [(1, "one"), (2, "two")])
    fill(two, [(2, "two"), (1, "one")])
    fill(three, [(1, "one"), (2, "zwei")])
    assert diff(one.snapshot(), two.snapshot()) == []
    assert [change.name for change in diff(one.snapshot(), three.snapshot())] == ["warehouse.public.orders"]


def test_a_rolled_back_transaction_leaves_nothing(postgres: Any) -> None:
    fill(postgres, [])
    with postgres.client.transaction(force_rollback=True):
        postgres.client.execute("INSERT INTO orders VALUES (1, 'never')")
    assert postgres.client.execute("SELECT count(*) FROM orders").fetchone() == (0,)


def test_changes_can_be_captured_by_logical_replication(postgres: Any) -> None:
    fill(postgres, [])
    # what is committed asynchronously is decoded a moment later only
    postgres.client.execute("SET synchronous_commit = on")
    postgres.client.execute("CREATE PUBLICATION everything FOR ALL TABLES")
    postgres.client.execute("SELECT pg_create_logical_replication_slot('capture', 'pgoutput')")
    postgres.client.execute("INSERT INTO orders VALUES (1, 'seen')")
    options = "'proto_version', '1', 'publication_names', 'everything'"
    changes = postgres.client.execute(
        f"SELECT count(*) FROM pg_logical_slot_peek_binary_changes('capture', NULL, NULL, {options})"
    )
    assert changes.fetchone() > (0,)


def test_text_sorts_by_code_point_whatever_the_server_was_built_for(postgres: Any) -> None:
    words = postgres.client.execute("SELECT w FROM (VALUES ('b'), ('a'), ('B'), ('é'), ('Z')) t(w) ORDER BY w")
    assert [word for (word,) in words] == ["B", "Z", "a", "b", "é"]


def test_the_server_is_postgresql_18_in_utc(postgres: Any) -> None:
    assert postgres.client.info.server_version // 10_000 == 18
    assert postgres.client.execute("SHOW timezone").fetchone() == ("UTC",)


def test_a_wrong_password_is_refused(postgres: Any) -> None:
    wrong = postgres.endpoint.model_copy(update={"password": "wrong" * 5})
    service = bind("postgres", "postgres", postgres.spec, wrong, postgres.slice)
    with pytest.raises(ServiceError, match="password authentication failed"), closing(service.client):
        pass
