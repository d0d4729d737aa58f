from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.environment.service import HttpSpec
from harness.environment.spec import ConnectionSpec
from harness.errors import ConfigError, Crashed, ServiceError
from harness.services.ready import wait_until_ready


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
