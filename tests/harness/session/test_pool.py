"""Who gets which server: alone under the declared names, or shared under other names."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.environment import Environment
from harness.environment.service import KafkaSpec, S3Spec, SparkSpec
from harness.errors import ConfigError
from harness.models.service import ServiceEvent
from harness.session import records
from harness.session.client import Session
from harness.session.logs import log_lines
from harness.session.pool import groups
from tests.patience import eventually


def port(namespace: object) -> int:
    return int(namespace.services["toy"].endpoint.port)  # type: ignore[attr-defined]


def test_alone_things_are_called_as_declared_and_the_next_one_finds_nothing(environment: Environment) -> None:
    with Session(environment) as session:
        with session.namespace(alone=["toy"]) as one:
            one.services["toy"].put("greeting", "hello")
            assert list(one.services["toy"].ask("list")) == ["greeting"]
            assert one.alone == {"toy"}
        with session.namespace(alone=["toy"]) as next_one:
            assert port(next_one) == port(one)
            assert next_one.services["toy"].snapshot() == []


def test_two_alone_at_once_have_a_server_each(environment: Environment) -> None:
    with Session(environment) as session, session.namespace(alone=["toy"]) as one:
        one.services["toy"].put("greeting", "hello")
        with session.namespace(alone=["toy"]) as other:
            assert port(other) != port(one)
            assert other.services["toy"].snapshot() == []


def test_those_who_share_are_not_where_someone_is_alone(environment: Environment) -> None:
    with Session(environment) as session, session.namespace(alone=["toy"]) as one, session.namespace() as shared:
        assert port(shared) != port(one)
        with session.namespace() as another:
            assert port(another) == port(shared)


def test_what_is_in_main_is_nobody_elses_to_empty(environment: Environment) -> None:
    with Session(environment) as session, session.namespace("main") as main:
        main.services["toy"].put("greeting", "mine")
        with session.namespace(alone=["toy"]) as one:
            assert port(one) != port(main)
        assert main.services["toy"].ask("list") == {"greeting": "mine"}


def test_a_server_that_cannot_be_emptied_is_replaced(environment: Environment) -> None:
    with Session(environment) as session:
        with session.namespace(alone=["toy"]) as one:
            one.services["toy"].put("stuck", "for ever")
        with session.namespace(alone=["toy"]) as next_one:
            assert port(next_one) != port(one)
            assert next_one.services["toy"].snapshot() == []


def test_a_server_that_died_while_someone_was_alone_is_replaced(environment: Environment) -> None:
    with Session(environment) as session:
        with session.namespace(alone=["toy"]) as one:
            one.services["toy"].ask("die")
        with session.namespace(alone=["toy"]) as next_one:
            assert next_one.services["toy"].snapshot() == []


def test_health_is_that_of_the_servers_in_use(environment: Environment) -> None:
    with Session(environment) as session, session.namespace(alone=["toy"]):
        with session.namespace(alone=["toy"]) as other:
            other.services["toy"].ask("die")
            assert eventually(lambda: not session.health(other.name)[0].healthy)
        assert session.health()[0].healthy


def test_names_declared_in_the_environment_need_no_asking(environment: Environment, project: Path) -> None:
    path = project / "environments" / "dev.yaml"
    path.write_text(path.read_text().replace("{keys: [greeting]}", "{keys: [greeting], names: declared}"))
    with Session(Environment.load("dev", folder=path.parent)) as session, session.namespace() as opened:
        assert opened.alone == {"toy"}


def test_names_renamed_are_never_declared(environment: Environment, project: Path) -> None:
    path = project / "environments" / "dev.yaml"
    path.write_text(path.read_text().replace("{keys: [greeting]}", "{keys: [greeting], names: renamed}"))
    with Session(Environment.load("dev", folder=path.parent)) as session, session.namespace(alone=["toy"]) as opened:
        assert opened.alone == frozenset()


def test_what_is_not_ours_is_used_by_one_client_at_a_time(environment: Environment, project: Path) -> None:
    with Session(environment) as session, session.namespace("main") as main:
        path = project / "environments" / "outside.yaml"
        where = f"{{engine: external, host: 127.0.0.1, port: {port(main)}, keys: [greeting]}}"
        path.write_text((path.parent / "dev.yaml").read_text().replace("{keys: [greeting]}", where))
        outside = Environment.load("outside", folder=path.parent)
        told: list[ServiceEvent] = []
        waits = threading.Event()

        def hear(event: ServiceEvent) -> None:
            told.append(event)
            if event.phase == "waiting":
                waits.set()

        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD], cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with Session(outside, on_event=hear) as second:
            opener = threading.Thread(target=lambda: second.close_namespace(second.open_namespace().name))
            opener.start()
            assert waits.wait(60)
            holder.communicate("")
            opener.join(60)
            assert not opener.is_alive()
        assert f"process {holder.pid}" in next(event.detail for event in told if event.phase == "waiting")


HOLD = """
import sys
from harness.environment import Environment
from harness.session.client import Session
with Session(Environment.load("outside")) as session, session.namespace(), session.namespace():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ({"s3": ("s3", S3Spec()), "kafka": ("kafka", KafkaSpec())}, [("s3",), ("kafka",)]),
        (
            {"lake": ("s3", S3Spec()), "kafka": ("kafka", KafkaSpec()), "spark": ("spark", SparkSpec())},
            [("kafka",), ("lake", "spark")],
        ),
        (
            {"spark": ("spark", SparkSpec()), "lake": ("s3", S3Spec()), "landing": ("s3", S3Spec())},
            [("spark", "lake", "landing")],
        ),
    ],
    ids=["apart", "a-driver-and-its-store", "a-driver-and-two-stores"],
)
def test_what_is_wired_together_is_given_together(specs: dict[str, object], expected: list[tuple[str, ...]]) -> None:
    assert sorted(groups(specs)) == sorted(expected)  # type: ignore[arg-type]


def test_the_log_of_each_instance_can_be_read_and_hides_its_password(environment: Environment) -> None:
    with Session(environment) as session, session.namespace(alone=["toy"]), session.namespace(alone=["toy"]):
        record = records.find(records.session_key(environment))
        assert record is not None
        assert [line.strip() for line in log_lines(record, "toy-2", lines=1)] == ["toy store"]
        with pytest.raises(ConfigError, match="there is: toy, toy-2, daemon"):
            next(log_lines(record, "toy-3", lines=1))
