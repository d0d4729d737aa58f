from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from harness.engines.process import free_port, listening_socket
from harness.environment.service import PostgresSpec
from harness.environment.spec import ConnectionSpec
from harness.errors import ConfigError, Crashed, ServiceError
from harness.services.ready import wait_until_ready


@pytest.fixture(scope="module")
def kind() -> str:
    return "postgres"


ORDERS = """
CREATE TABLE orders (id int, amount numeric(10, 2), loaded_at timestamptz DEFAULT now());
INSERT INTO orders VALUES (1, 12.10), (2, 7.00)
"""


@pytest.fixture
def orders(namespace: Any) -> Any:
    namespace.client.execute(ORDERS)
    return namespace


def test_airflows_hook_connects_to_the_namespaces_database(namespace: Any, airflow_connection: Any) -> None:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    conn_id = airflow_connection(namespace.connection(ConnectionSpec(service="postgres", database="audit")))
    found = PostgresHook(postgres_conn_id=conn_id).get_first(
        "SELECT current_database(), current_setting('server_version_num')::int"
    )
    assert found[0] == "ns1_audit"
    assert found[1] >= 180000


def test_a_connection_without_a_database_means_the_first(namespace: Any) -> None:
    assert namespace.connection(ConnectionSpec(service="postgres")).schema_ == "ns1_warehouse"


def test_a_database_that_is_not_declared_is_a_mistake_with_the_names_there_are(namespace: Any) -> None:
    with pytest.raises(ConfigError, match="warehouse, audit"):
        namespace.connection(ConnectionSpec(service="postgres", database="warehose"))


def test_libpqs_variables_lead_to_the_first_database(namespace: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in namespace.environ().items():
        monkeypatch.setenv(name, value)
    with psycopg.connect() as connection:
        assert connection.info.dbname == "ns1_warehouse"


def test_namespaces_do_not_see_each_other(running: Any, orders: Any, holding: Any) -> None:
    other = running.again("ns2")
    assert holding(other) == {}
    assert list(holding(orders)) == ["warehouse.public.orders"]
    other.close()


def test_namespaces_are_opened_at_the_same_time(running: Any) -> None:
    with ThreadPoolExecutor(8) as pool:
        services = list(pool.map(running.again, [f"many{number}" for number in range(8)]))
    assert {service.client.info.dbname for service in services} == {f"many{number}_warehouse" for number in range(8)}
    for service in services:
        service.close()


def test_closing_drops_the_databases_whoever_is_connected(running: Any) -> None:
    service = running.again("gone")
    someone = running.again("gone2")
    stays = psycopg.connect(host=service.endpoint.host, port=service.endpoint.port, user=service.endpoint.user,
                            password=service.endpoint.password, dbname="gone_warehouse")  # fmt: skip
    stays.execute("SELECT 1")
    service.close()
    service.close()
    left = {name for (name,) in running.service.client.execute("SELECT datname FROM pg_database")}
    assert {name for name in left if name.startswith("gone")} == {"gone2_warehouse", "gone2_audit"}
    someone.close()
    stays.close()


def test_closing_drops_a_database_with_a_replication_slot(running: Any) -> None:
    service = running.again("cdc")
    service.client.execute("SELECT pg_create_logical_replication_slot('cdc_slot', 'pgoutput')")
    service.close()
    assert running.service.client.execute("SELECT count(*) FROM pg_replication_slots").fetchone() == (0,)


def test_preparing_twice_keeps_what_is_there(running: Any) -> None:
    running.service.client.execute("CREATE TABLE kept AS SELECT 1 AS one")
    running.service.prepare()
    assert running.service.client.execute("SELECT one FROM kept").fetchone() == (1,)
    running.service.client.execute("DROP TABLE kept")


def test_a_snapshot_names_tables_as_the_environment_does(orders: Any, holding: Any) -> None:
    table = holding(orders)["warehouse.public.orders"]
    assert (table.kind, table.rows, sum(table.digests.values())) == ("table", 2, 2)
    assert table.columns == {"id": "integer", "amount": "numeric(10,2)", "loaded_at": "timestamp with time zone"}
    assert {row["amount"] for row in table.sample.values()} == {"12.10", "7.00"}


def test_rewriting_the_same_rows_in_another_order_changes_nothing(orders: Any, changes: Any) -> None:
    with changes(orders) as found:
        orders.client.execute(
            "CREATE TABLE twin AS SELECT * FROM orders; TRUNCATE orders;"
            "INSERT INTO orders SELECT * FROM twin ORDER BY id DESC; DROP TABLE twin"
        )
    assert found == []


@pytest.mark.parametrize(
    ("statement", "added", "removed"),
    [
        ("INSERT INTO orders SELECT * FROM orders WHERE id = 1", 1, 0),
        ("DELETE FROM orders WHERE id = 2", 0, 1),
        ("UPDATE orders SET amount = amount + 0.01 WHERE id = 1", 1, 1),
        ("UPDATE orders SET amount = NULL WHERE id = 1", 1, 1),
    ],
    ids=["a duplicate", "a deletion", "a cent", "a null"],
)
def test_a_change_of_rows_is_seen(statement: str, added: int, removed: int, orders: Any, changes: Any) -> None:
    with changes(orders) as found:
        orders.client.execute(statement)
    assert [(one.name, one.added, one.removed) for one in found] == [("warehouse.public.orders", added, removed)]


def test_a_volatile_column_is_left_out_and_others_are_not(orders: Any, changes: Any) -> None:
    volatile = {"warehouse.public.orders": ["loaded_at"]}
    with changes(orders, volatile) as found:
        orders.client.execute("UPDATE orders SET loaded_at = loaded_at + interval '1 hour'")
    assert found == []
    with changes(orders, volatile) as found:
        orders.client.execute("UPDATE orders SET amount = 0 WHERE id = 1")
    assert [one.added for one in found] == [1]


def test_a_column_added_is_seen_in_words(orders: Any, changes: Any) -> None:
    with changes(orders) as found:
        orders.client.execute("ALTER TABLE orders ADD COLUMN note text")
    assert found[0].detail == "columns new: note"


def test_a_partitioned_table_is_one_table(namespace: Any, holding: Any) -> None:
    namespace.client.execute(
        "CREATE TABLE days (day int) PARTITION BY RANGE (day);"
        "CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE days_2 PARTITION OF days FOR VALUES FROM (10) TO (20);"
        "INSERT INTO days VALUES (1), (11)"
    )
    assert {name: table.rows for name, table in holding(namespace).items()} == {"warehouse.public.days": 2}


def test_names_that_need_quotes_are_read(namespace: Any, holding: Any) -> None:
    namespace.client.execute('CREATE SCHEMA "Big Data"; CREATE TABLE "Big Data"."an %s; --" ("a ""b""" int)')
    assert holding(namespace)["warehouse.Big Data.an %s; --"].columns == {'a "b"': "integer"}


def test_fingerprints_do_not_depend_on_the_settings_of_a_database(orders: Any, changes: Any) -> None:
    with changes(orders) as found:
        orders.client.execute(
            "ALTER DATABASE ns1_warehouse SET timezone = 'Asia/Tokyo';"
            "ALTER DATABASE ns1_warehouse SET datestyle = 'SQL, DMY';"
            "ALTER DATABASE ns1_warehouse SET extra_float_digits = -5"
        )
    assert found == []


def test_a_large_table_keeps_the_rows_that_were_written_last(namespace: Any, holding: Any) -> None:
    namespace.client.execute("CREATE TABLE big AS SELECT generate_series(1, 20000) AS n")
    namespace.client.execute("INSERT INTO big VALUES (-1)")
    table = holding(namespace)["warehouse.public.big"]
    assert (table.rows, len(table.digests), len(table.sample)) == (20001, 20001, 1000)
    assert {"n": -1} in table.sample.values()


def test_logical_decoding_and_prepared_passwords_are_what_pipelines_expect(running: Any) -> None:
    names = ("wal_level", "max_connections", "password_encryption")
    shown = [running.service.client.execute("SELECT current_setting(%s)", [name]).fetchone()[0] for name in names]
    assert shown == ["logical", "200", "scram-sha-256"]


def test_a_port_that_is_taken_is_told_by_the_servers_own_words(
    launch: Any, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "container":
        pytest.skip("the container engine refuses it before there is a server; tests/containers has that")
    with listening_socket() as taken:
        monkeypatch.setattr("harness.engines.embedded.postgres.free_port", lambda: taken.getsockname()[1])
        with launch("postgres", ready=False) as started, pytest.raises(Crashed) as told:
            wait_until_ready(started.service, started.running, within=30)
    assert "Address already in use" in "\n".join(told.value.log)
    assert told.value.hint == "its last log lines say why"


def test_a_name_that_a_namespace_makes_too_long_is_refused_before_the_server_cuts_it(running: Any) -> None:
    long = PostgresSpec(databases=["d" * 60])
    service = type(running.service)("postgres", long, running.running.endpoint)
    with pytest.raises(ConfigError, match="63 bytes"):
        service.open("abcdef")


@pytest.mark.parametrize("act", ["open", "close"])
def test_a_server_that_is_gone_is_told_as_the_services_trouble(running: Any, act: str) -> None:
    gone = running.running.endpoint.model_copy(update={"port": free_port()})
    slice = running.service.whole().model_copy(update={"prefix": "n1"})
    service = type(running.service)("postgres", running.service.spec, gone, slice)
    with pytest.raises(ServiceError, match="cannot open the database 'postgres'"):
        service.open("n2") if act == "open" else service.close()
