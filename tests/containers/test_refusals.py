"""What a user reads when containers cannot be had: one line, with the next step."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from harness.engines.base import Place
from harness.engines.container.base import SESSION_LABEL, ContainerRunning, Plan, start_container
from harness.engines.container.docker_engine import connect
from harness.engines.container.postgres import ContainerPostgres
from harness.engines.container.s3 import ContainerS3
from harness.environment.spec import PostgresSpec, S3Spec
from harness.errors import ServiceError, Unreachable
from harness.models.service import Endpoint
from harness.services.ready import wait_until_ready
from harness.services.registry import bind


def containers_of(client: Any, place: Place) -> list[Any]:
    return list(client.containers.list(all=True, filters={"label": f"{SESSION_LABEL}={place.session}"}))


def test_a_wrong_docker_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(Unreachable) as told:
        connect()
    assert "DOCKER_HOST=unix:///nowhere/docker.sock: No such file or directory" in told.value.message
    assert "unset DOCKER_HOST" in str(told.value.hint)
    assert told.value.exit_code == 3


def test_an_engine_that_is_not_running_is_told_with_what_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{held.getsockname()[1]}")
        with pytest.raises(Unreachable, match="Connection refused"):
            connect()


def test_an_image_that_is_nowhere_is_told_with_how_to_build_one(place: Place, docker_client: Any) -> None:
    spec = S3Spec(engine="container", image="127.0.0.1:1/nobody/minio:1")
    with pytest.raises(ServiceError, match=r"127\.0\.0\.1:1/nobody/minio:1 is not here and cannot be pulled") as told:
        ContainerS3().start(spec, place)
    assert "harness images build minio" in str(told.value.hint)
    assert containers_of(docker_client, place) == []


def test_an_image_of_something_else_is_told_and_leaves_nothing(
    place: Place, docker_client: Any, some_image: str
) -> None:
    with pytest.raises(ServiceError, match="starting a container of") as told:
        start_container(docker_client, place, lambda: Plan(some_image, options={"entrypoint": ["/no/such/program"]}))
    assert "no such file" in told.value.message
    assert containers_of(docker_client, place) == []


def test_a_port_that_stays_taken_is_told_and_leaves_nothing(place: Place, docker_client: Any, some_image: str) -> None:
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]

        def plan() -> Plan:
            asked.append(port)
            return Plan(some_image, publish={9000: port})

        with pytest.raises(ServiceError, match=str(port)) as told:
            start_container(docker_client, place, plan)
    assert len(asked) == 3
    assert "no free port" in str(told.value.hint)
    assert containers_of(docker_client, place) == []


def test_a_server_that_needs_more_memory_than_it_may_have_is_told_so(place: Place, some_image: str) -> None:
    # ended by the kernel, or kept from its work by it: which of the two depends on the machine
    spec = S3Spec(engine="container", memory="16m")
    running = ContainerS3().start(spec, place)
    with pytest.raises(ServiceError, match="16m of memory") as told:
        wait_until_ready(bind("s3", "s3", spec, running.endpoint), running, within=20)
    assert "memory" in str(told.value.hint)


def test_a_server_that_is_ended_for_its_use_of_memory_is_told_so(
    place: Place, docker_client: Any, some_image: str
) -> None:
    eats = {"entrypoint": ["tail", "/dev/zero"]}  # it keeps the last line, which never ends
    container = start_container(docker_client, place, lambda: Plan(some_image, memory="24m", options=eats))
    at = Endpoint(role="s3", engine="container", port=1)
    running = ContainerRunning(at, container, "24m", place.folder / "s3.log")
    container.get_wrapped_container().wait(timeout=60)
    assert "was ended for using more than 24m of memory" in str(running.failure())


def test_a_full_disk_is_told_as_such(place: Place, docker_client: Any, built: Any) -> None:
    image = built("postgres")
    environ = {"POSTGRES_PASSWORD": "not-used-by-anyone"}
    small = {"/var/lib/postgresql": "size=4m,uid=10001"}
    container = start_container(docker_client, place, lambda: Plan(image, environ=environ, tmpfs=small))
    at = Endpoint(role="postgres", engine="container", port=1, password=environ["POSTGRES_PASSWORD"])
    running = ContainerRunning(at, container, "512m", place.folder / "postgres.log")
    container.get_wrapped_container().wait(timeout=60)
    assert not running.alive()
    assert "disk is full" in str(running.failure())


def test_a_server_that_is_killed_is_seen_as_ended_with_its_log(place: Place, docker_client: Any, built: Any) -> None:
    built("postgres")
    spec = PostgresSpec(engine="container")
    running = ContainerPostgres().start(spec, place)
    service = bind("postgres", "postgres", spec, running.endpoint)
    wait_until_ready(service, running, within=120)
    containers_of(docker_client, place)[0].kill()
    assert not running.alive()
    assert running.failure() is None
    assert "ready to accept connections" in "\n".join(running.log_tail())
    assert str(running.endpoint.password) not in "\n".join(running.log_tail(1000))


def test_a_container_listens_on_the_loopback_interface_with_a_memory_limit_and_no_new_rights(
    place: Place, docker_client: Any, some_image: str
) -> None:
    ContainerS3().start(S3Spec(engine="container", memory="300m"), place)
    (container,) = containers_of(docker_client, place)
    host = container.attrs["HostConfig"]
    assert {at["HostIp"] for ports in host["PortBindings"].values() for at in ports} == {"127.0.0.1"}
    assert (host["Memory"], host["MemorySwap"]) == (300 * 2**20, 300 * 2**20)
    assert host["CapDrop"] == ["ALL"]
    assert not host["Privileged"]
    assert list(container.attrs["NetworkSettings"]["Networks"]) == [f"harness-{place.session}"]
