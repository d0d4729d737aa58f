from __future__ import annotations

import pytest
from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.providers.http.hooks.http import HttpHook
from airflow.providers.postgres.hooks.postgres import PostgresHook

from harness import unit
from harness.errors import ConfigError


def test_rows_are_what_each_way_of_asking_gives(mock_hook):
    mock_hook("postgres_default", rows=[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])
    hook = PostgresHook()
    assert hook.get_records("select * from shops") == [(1, "a"), (2, "b")]
    assert hook.get_first("select * from shops") == (1, "a")
    assert hook.run(["select 1", "select 2"], handler=lambda cursor: cursor.fetchone(), return_last=False) == [
        (1, "a"),
        (1, "a"),
    ]
    with hook.get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("select * from shops where id > %s", (0,))
        assert [name for name, *_ in cursor.description] == ["id", "name"]
        assert cursor.fetchmany(1) == [(1, "a")]
        assert list(cursor) == [(2, "b")]


def test_statements_of_a_cursor_are_kept(mock_hook):
    hook = mock_hook(PostgresHook, rows=[])
    PostgresHook().run("delete from orders where day = %s", parameters=("2026-01-02",))
    assert hook.get_conn.return_value.statements == [("delete from orders where day = %s", ("2026-01-02",))]


def test_class_is_itself_again_after_the_block():
    before = dict(vars(PostgresHook))
    with unit.mock_hook(PostgresHook, get_records=[]):
        assert PostgresHook().get_records("select 1") == []
    assert dict(vars(PostgresHook)) == before


def test_base_class_and_other_hooks_are_left_alone(mock_hook):
    inherited = DbApiHook.get_records
    mock_hook(PostgresHook, rows=[])
    assert DbApiHook.get_records is inherited
    assert HttpHook(method="GET").method == "GET"


def test_mock_is_an_instance_of_the_class(mock_hook):
    assert isinstance(mock_hook(PostgresHook), PostgresHook)


def test_answer_can_be_given_later(mock_hook):
    hook = mock_hook(PostgresHook)
    hook.get_records.return_value = [(1,)]
    assert PostgresHook().get_records("select 1") == [(1,)]


def test_defined_connection_chooses_the_class_by_its_type(mock_hook, airflow_connection):
    airflow_connection("warehouse", conn_type="postgres", host="db.test")
    hook = mock_hook("warehouse", rows=[(1,)])
    assert PostgresHook("warehouse").get_records("select 1") == [(1,)]
    hook.get_records.assert_called_once_with("select 1")


def test_connection_of_no_known_type_is_refused(mock_hook):
    with pytest.raises(ConfigError, match=r"no installed provider has a hook for the connection 'wherehouse'"):
        mock_hook("wherehouse")


@pytest.mark.parametrize("path", ["jobs.nowhere.Hook", "airflow.providers.http.hooks.http.Hook"])
def test_class_that_is_not_there_is_refused(mock_hook, path):
    with pytest.raises(ConfigError, match=f"there is no hook class {path}"):
        mock_hook(path)


def test_answer_for_a_method_that_is_not_there_is_refused(mock_hook):
    with pytest.raises(ConfigError, match="PostgresHook has no public method 'get_rows'"):
        mock_hook("postgres_default", get_rows=[])


def test_rows_are_for_databases(mock_hook):
    with pytest.raises(ConfigError, match="HttpHook is no database hook"):
        mock_hook("http_default", rows=[])


def test_property_needs_an_answer_too(mock_hook):
    mock_hook(PostgresHook, sqlalchemy_url="postgresql://")
    assert PostgresHook().sqlalchemy_url == "postgresql://"
    with pytest.raises(AssertionError, match=r"says nothing about PostgresHook\.inspector"):
        PostgresHook().inspector  # noqa: B018
