from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.environment.service import HttpSpec
from harness.environment.spec import ConnectionSpec, DagSpec
from harness.errors import ConfigError, Crashed, ServiceError
from harness.services.ready import wait_until_ready
from harness.state import snapshot
from harness.state.diff import in_words


@pytest.fixture(scope="module")
def kind() -> str:
    return "http"


def test_airflows_hook_reaches_one_application(namespace: Any, airflow_connection: Any) -> None:
    from airflow.providers.http.hooks.http import HttpHook

    conn_id = airflow_connection(namespace.connection(ConnectionSpec(service="http", app="shop")))
    hook = HttpHook(method="GET", http_conn_id=conn_id)
    assert hook.run("/stock").json() == {"apples": 3}
    assert hook.run("stock").json() == {"apples": 3}
    assert hook.base_url == namespace.url("shop")


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/echo/a/b", 200, "/~ns1/echo/a/b"),
        ("/shop/nothing", 404, "Not Found"),
        ("/shops", 404, "no application 'shops'; there are: shop, echo"),
        ("/", 404, "no application ''; there are: shop, echo"),
    ],
    ids=["an application", "its own 404", "no such application", "the root"],
)
def test_requests_go_to_the_application_of_their_first_name(path: str, status: int, text: str, namespace: Any) -> None:
    answer = namespace.client.get(path)
    assert (answer.status_code, answer.text) == (status, text)


def test_an_application_is_told_by_its_root_path_which_namespace_asks(running: Any, namespace: Any) -> None:
    other = running.again("ns2")

    roots = [service.client.get("/shop/root").text for service in (running.service, namespace, other)]

    assert roots == ["/shop", "/~ns1/shop", "/~ns2/shop"]
    other.release()


def test_an_address_can_be_built_of_a_connections_parts(namespace: Any) -> None:
    connection = namespace.connection(ConnectionSpec(service="http", app="shop"))

    address = f"{connection.schema_}://{connection.host}:{connection.port}/stock"

    assert httpx.get(address, trust_env=False).json() == {"apples": 3}


def test_each_namespace_has_a_port_for_each_application_until_it_is_closed(running: Any, namespace: Any) -> None:
    other = running.again("ns2")
    ports = [*running.service.ports.values(), *namespace.ports.values(), *other.ports.values()]
    assert len(set(ports)) == 6

    other.close()

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{other.ports['echo']}/", trust_env=False)
    assert httpx.get(f"{namespace.url('echo')}/a", trust_env=False).text == "/~ns1/echo/a"


# -- calls


@pytest.fixture
def shop(namespace: Any) -> Iterator[httpx.Client]:
    """What a task has: a client that knows the connection's address and nothing of the harness."""
    with httpx.Client(base_url=namespace.url("echo"), trust_env=False) as client:
        yield client


def test_a_call_is_kept_with_what_was_asked_and_how_it_was_answered(namespace: Any, shop: httpx.Client) -> None:
    shop.post("/v1/payouts?dry=no", json={"eur": 5}, headers={"Idempotency-Key": "k1"})

    (call,) = namespace.calls("echo")

    assert (call.name, call.query, call.status, call.key) == ("echo POST /v1/payouts", "dry=no", 200, "k1")
    assert call.content == b'{"eur":5}'
    assert namespace.calls("shop") == []


@pytest.mark.parametrize(
    ("method", "sent", "count"),
    [
        ("POST", (("", "a"), ("", "a")), 2),
        ("POST", (("k", "a"), ("k", "a")), 1),
        ("POST", (("k", "a"), ("l", "a")), 2),
        ("POST", (("k", "a"), ("k", "b")), 2),
        ("PUT", (("", "a"), ("", "a")), 1),
        ("PUT", (("", "a"), ("", "b")), 2),
        ("DELETE", (("", ""), ("", "")), 1),
        ("GET", (("", ""), ("", "")), 0),
    ],
    ids=[
        "a post again",
        "with its key again",
        "with a new key",
        "the key with another body",
        "a put again",
        "a put of something else",
        "a delete again",
        "a read",
    ],
)
def test_calls_count_by_what_they_have_done(
    method: str, sent: tuple[tuple[str, str], ...], count: int, namespace: Any, holding: Any
) -> None:
    for key, body in sent:
        headers = {"Idempotency-Key": key} if key else {}
        httpx.request(method, f"{namespace.url('echo')}/orders", content=body, headers=headers, trust_env=False)

    datasets = holding(namespace)

    assert {name: one.rows for name, one in datasets.items()} == ({f"echo {method} /orders": count} if count else {})


def test_a_refused_call_had_no_effect(namespace: Any, holding: Any) -> None:
    answer = httpx.post(f"{namespace.url('shop')}/stock", trust_env=False)

    assert answer.status_code == 405
    assert holding(namespace) == {}
    assert [call.status for call in namespace.calls()] == [405]


def test_what_tests_and_seeds_ask_by_the_client_is_no_call(namespace: Any, holding: Any) -> None:
    namespace.client.post("/echo/orders", content="a")

    assert holding(namespace) == {}


def test_a_call_is_a_change_in_words(namespace: Any, shop: httpx.Client, changes: Any) -> None:
    with changes(namespace) as found:
        shop.post("/payouts", json={"eur": 5, "sent": "12:00"})

    assert in_words(found[0]).startswith("echo POST /payouts: new, 1 call added; first: ")


def test_fields_of_a_body_that_may_differ_are_left_out(namespace: Any, shop: httpx.Client) -> None:
    left_out = {"echo POST /payouts": ["sent"]}
    shop.post("/payouts", json={"eur": 5, "sent": "12:00"})
    first = namespace.snapshot(volatile=left_out)
    shop.post("/payouts", json={"eur": 5, "sent": "12:01"})
    (second,) = namespace.snapshot(volatile=left_out)

    assert second.digests == dict.fromkeys(first[0].digests, 2)


def test_namespaces_do_not_see_each_others_calls(
    running: Any, namespace: Any, shop: httpx.Client, holding: Any
) -> None:
    other = running.again("ns2")
    shop.post("/orders", content="a")

    assert holding(other) == holding(running.service) == {}
    other.close()


def test_a_namespace_that_is_closed_leaves_no_calls_behind(running: Any) -> None:
    first = running.again("ns3")
    httpx.post(f"{first.url('echo')}/orders", trust_env=False)
    assert len(first.calls()) == 1
    first.close()

    again = running.again("ns3")

    assert again.calls() == []
    again.close()


def test_calls_are_outputs_only_where_they_are_declared(namespace: Any, shop: httpx.Client) -> None:
    shop.post("/v1/payouts", content="a")
    shop.post("/login", content="a")
    everything = snapshot({"http": namespace})

    def published(**declared: Any) -> list[str]:
        return [one.name for one in everything.only(DagSpec(**declared))]

    assert [one.name for one in everything] == ["echo POST /login", "echo POST /v1/payouts"]
    assert published() == []
    assert published(outputs={"http": ["echo POST /v1/payouts"]}) == ["echo POST /v1/payouts"]
    assert published(outputs={"http": ["echo POST /v1/*"]}) == ["echo POST /v1/payouts"]
    assert published(outputs={"http": ["echo *"]}, staging={"http": ["* /login"]}) == ["echo POST /v1/payouts"]


def test_a_connection_must_say_which_of_several_applications(namespace: Any) -> None:
    with pytest.raises(ConfigError, match="shop, echo"):
        namespace.connection(ConnectionSpec(service="http"))


def test_an_application_that_is_not_declared_is_a_mistake_with_the_names_there_are(namespace: Any) -> None:
    with pytest.raises(ConfigError, match="shop, echo"):
        namespace.connection(ConnectionSpec(service="http", app="shoe"))


def failure(launch: Any, target: str) -> ServiceError:
    spec = HttpSpec(apps={"upstream": target})
    with launch("http", spec, ready=False) as started, pytest.raises(Crashed) as told:
        wait_until_ready(started.service, started.running, within=60)
    return told.value


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("import shelves\n", "upstream:app", "No module named 'shelves' at upstream.py:1"),
        ("\ndef app(:\n", "upstream:app", "SyntaxError: invalid syntax at upstream.py:2"),
        ("", "upstream:app", "has no attribute 'app'"),
        ("", "nobody.knows:app", "No module named 'nobody'"),
        ("raise SystemExit('closed')\n", "upstream:app", "SystemExit: closed at upstream.py:1"),
    ],
    ids=["a missing import", "a typing error", "no such attribute", "no such module", "an exit"],
)
def test_an_application_that_cannot_be_imported_is_told_in_one_line(
    source: str, target: str, said: str, launch: Any, tmp_path: Path
) -> None:
    (tmp_path / "upstream.py").write_text(source)
    error = failure(lambda kind, spec, ready: launch(kind, spec, ready=ready, project=tmp_path), target)
    assert f"the application upstream ({target}) cannot be imported" in error.message
    assert said in error.message
    assert "Traceback" not in str(error)
    assert error.role == "http"


def test_an_application_that_refuses_to_start_is_told_by_its_own_words(launch: Any) -> None:
    assert "upstream: the shop is closed" in str(failure(launch, "apps.refusing:app"))
