from __future__ import annotations

import gc
import ipaddress
import os
from typing import Any

import psutil
import pytest

from harness.models.service import ServiceRef
from harness.services.registry import bind, rebuild


@pytest.fixture(scope="module", params=["postgres", "moto", "minio", "http", "smtp"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_wrong_secret_is_refused(running: Any) -> None:
    limit = running.engine.limit("signatures")
    endpoint = running.running.endpoint
    if endpoint.password is None:
        pytest.skip("it has no credentials")
    if limit and endpoint.options["server"] == "moto":
        pytest.skip(limit)
    wrong = endpoint.model_copy(update={"password": "wrong" * 5})
    with pytest.raises(
        Exception, match=r"password authentication failed|SignatureDoesNotMatch|Authentication credentials invalid"
    ):
        bind("wrong", running.service.role, running.service.spec, wrong).ping()


def test_logs_hold_no_secret(running: Any) -> None:
    if running.running.endpoint.password is None:
        pytest.skip("it has no credentials")
    running.service.ping()
    assert running.running.endpoint.password not in running.running.log_path().read_text()


def test_servers_listen_on_the_loopback_interface_only(running: Any) -> None:
    listening = {
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
        # a container's own sockets are in a network of its own; on this host the engine listens for it
        and (connection.pid in running.running.pids() or connection.laddr.port == running.running.endpoint.port)
    }
    assert listening
    assert all(ipaddress.ip_address(address).is_loopback for address in listening)


def test_the_view_of_a_service_survives_the_way_through_json(running: Any) -> None:
    ref = ServiceRef(
        role=running.service.role,
        spec=running.service.spec.model_dump(mode="json"),
        endpoint=running.service.endpoint,
        slice=running.service.slice,
    )
    again = rebuild(running.service.name, ServiceRef.model_validate_json(ref.model_dump_json()))
    again.ping()
    assert again.slice == running.service.slice
    again.release()


def test_a_client_is_made_anew_after_a_fork(running: Any) -> None:
    """The child must neither use nor break the parent's connection."""
    before = running.service.client
    child = os.fork()
    if child == 0:
        try:
            # what other tests have left to collect may belong to threads that this process does not have
            gc.freeze()
            running.service.ping()
            os._exit(int(running.service.client is before))
        except BaseException:  # noqa: BLE001 - the child reports by its exit code
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert running.service.client is before
    running.service.ping()
