from __future__ import annotations

from unittest.mock import call, create_autospec

import pytest
import requests

from harness.unit import run_operator
from tests.unit.operators.shop import ShopHook, ShopToRowsOperator

SHOP = {"conn_type": "http", "host": "shop.test", "password": "correct-horse-battery"}


@pytest.fixture
def operator() -> ShopToRowsOperator:
    return ShopToRowsOperator(task_id="extract")


def test_operator_reads_pages_until_one_is_empty(operator, mock_hook, task_context):
    pages = {1: [{"id": 7}, {"id": 8}], 2: [{"id": 9}], 3: []}
    hook = mock_hook(ShopHook, page=lambda day, *, number: pages[number])
    run = run_operator(operator, task_context(operator, "2026-01-02"))
    assert run.xcoms == {"return_value": [7, 8, 9], "count": 3}
    assert hook.page.call_args_list == [call("2026-01-02", number=number) for number in (1, 2, 3)]
    (entry,) = [one for one in run.logs if one.event == "read orders"]
    assert (entry.level, entry.values["day"], entry.values["count"]) == ("info", "2026-01-02", 3)


def test_day_without_orders_is_skipped_with_its_reason(operator, mock_hook, task_context):
    mock_hook(ShopHook, page=[])
    run = run_operator(operator, task_context(operator, "2026-01-02"))
    assert (run.state, run.xcoms) == ("skipped", {})
    assert any(entry.values.get("reason") == "no orders on 2026-01-02" for entry in run.logs)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda hook: hook.page("2026-01-02", 1), "too many positional arguments"),
        (lambda hook: hook.page("2026-01-02", nr=1), "number"),
        (lambda hook: ShopHook(conn_id="shop_default"), "conn_id"),
    ],
    ids=["by position", "by another name", "constructor"],
)
def test_wrong_call_of_the_hook_fails(mock_hook, wrong, complaint):
    mock_hook(ShopHook, page=[])
    with pytest.raises(TypeError, match=complaint):
        wrong(ShopHook())


def test_hook_asks_the_shop_with_its_token_and_does_not_log_it(airflow_connection, task_logs, monkeypatch):
    airflow_connection("shop_default", **SHOP)
    answer = create_autospec(requests.Response, instance=True)
    answer.json.return_value = [{"id": 7}]
    get = create_autospec(requests.Session.get, return_value=answer)
    monkeypatch.setattr(requests.Session, "get", get)
    assert ShopHook().page("2026-01-02", number=1) == [{"id": 7}]
    (session, url), options = get.call_args
    assert (url, options["params"]) == ("https://shop.test/orders", {"day": "2026-01-02", "page": 1})
    assert session.headers["Authorization"] == "Bearer correct-horse-battery"
    assert task_logs.at("info") == ["Logged in at shop.test with ***"]


def test_hook_without_its_connection_says_which_one_is_missing(task_context, operator):
    with pytest.raises(Exception, match="shop_default"):
        run_operator(operator, task_context(operator))
