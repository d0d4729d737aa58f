"""A hook and an operator as a team writes them: they are what the tests beside this file are about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseHook, BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException


class ShopHook(BaseHook):
    """Reads orders from the shop, a page at a time.

    Args:
        shop_conn_id: connection with the shop's host, and a token as its password.
    """

    conn_name_attr = "shop_conn_id"
    default_conn_name = "shop_default"
    conn_type = "http"
    hook_name = "Shop"

    def __init__(self, shop_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.shop_conn_id = shop_conn_id

    def get_conn(self) -> Any:
        """Return a session that is logged in."""
        import requests

        session = requests.Session()
        connection = self.get_connection(self.shop_conn_id)
        session.headers["Authorization"] = f"Bearer {connection.password}"
        self.log.info("Logged in at %s with %s", connection.host, connection.password)
        return session

    def page(self, day: str, *, number: int) -> list[dict[str, Any]]:
        """Return one page of a day's orders; an empty one is the last."""
        host = self.get_connection(self.shop_conn_id).host
        answer = self.get_conn().get(f"https://{host}/orders", params={"day": day, "page": number}, timeout=10)
        answer.raise_for_status()
        rows: list[dict[str, Any]] = answer.json()
        return rows


class ShopToRowsOperator(BaseOperator):
    """Returns a day's orders; a day without any is skipped."""

    template_fields: Sequence[str] = ("day",)

    def __init__(self, *, day: str = "{{ ds }}", shop_conn_id: str = "shop_default", **kwargs: Any) -> None:
        super().__init__(execution_timeout=timedelta(minutes=5), **kwargs)
        self.day, self.shop_conn_id = day, shop_conn_id

    def execute(self, context: Context) -> list[int]:
        orders = [order["id"] for order in self._orders()]
        if not orders:
            raise AirflowSkipException(f"no orders on {self.day}")
        context["ti"].xcom_push("count", len(orders))
        self.log.info("read orders", day=self.day, count=len(orders))
        return orders

    def _orders(self) -> Iterator[dict[str, Any]]:
        hook, number = ShopHook(self.shop_conn_id), 1
        while page := hook.page(self.day, number=number):
            yield from page
            number += 1
