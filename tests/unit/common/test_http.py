from __future__ import annotations

from unittest import mock

import httpx
import pytest

from jobs.common.http import get, http_client, pages


def upstream(*answers):
    """Return a client whose upstream gives these answers in turn, and the list of what was asked."""
    asked, left = [], list(answers)

    def answer(request):
        asked.append(str(request.url))
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return httpx.Client(base_url="http://upstream/app", transport=httpx.MockTransport(answer)), asked


@pytest.mark.parametrize("first", [httpx.Response(503), httpx.Response(429), httpx.ConnectError("refused")])
def test_a_busy_upstream_is_asked_again(first):
    client, asked = upstream(first, httpx.Response(200, text="sunny"))

    assert get(client, "/weather", pause=0, date="2026-01-01").text == "sunny"
    assert asked == ["http://upstream/app/weather?date=2026-01-01"] * 2


def test_an_upstream_that_stays_busy_is_an_error_after_the_last_try():
    client, asked = upstream(*[httpx.Response(503)] * 3)

    with pytest.raises(httpx.HTTPStatusError, match="503"):
        get(client, "/weather", tries=3, pause=0)
    assert len(asked) == 3


def test_a_wrong_question_is_not_asked_twice():
    client, asked = upstream(httpx.Response(404))

    with pytest.raises(httpx.HTTPStatusError, match="404"):
        get(client, "/weather", pause=0)
    assert len(asked) == 1


def test_all_pages_are_read_in_their_order():
    pages_of_two = [
        httpx.Response(200, json={"items": [1, 2], "next": 2}),
        httpx.Response(200, json={"items": [3], "next": None}),
    ]
    client, asked = upstream(*pages_of_two)

    assert list(pages(client, "/sales", date="2026-01-02")) == [1, 2, 3]
    assert asked == [f"http://upstream/app/sales?page={page}&date=2026-01-02" for page in (1, 2)]


def test_pages_that_name_each_other_in_a_circle_are_an_error():
    client, _ = upstream(*[httpx.Response(200, json={"items": [], "next": 1})] * 2)

    with pytest.raises(ValueError, match="page 1 comes after itself"):
        list(pages(client, "/sales"))


def test_a_client_takes_address_headers_and_login_from_the_connection():
    from airflow.sdk import Connection

    found = Connection(
        conn_id="shop",
        conn_type="http",
        host="shop.example",
        port=8080,
        schema="https",
        login="etl",
        password="pw",
        extra='{"X-Volume": "dev"}',
    )
    with (
        mock.patch.object(Connection, "get", autospec=True, return_value=found) as asked,
        http_client("shop") as client,
    ):
        assert str(client.base_url) == "https://shop.example:8080"
        assert client.headers["x-volume"] == "dev"
        assert client.auth is not None
    asked.assert_called_once_with("shop")
