from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from harness.environment import Environment
from harness.errors import Crashed, ServiceError, StartTimeout
from harness.models.service import ServiceEvent
from harness.session import reaper, records, wire
from harness.session.client import Session, status_of, stop
from tests.patience import eventually

Harness = Callable[..., "subprocess.CompletedProcess[str]"]
Gone = Callable[..., bool]

HOLDER = """
import sys
from harness.environment import Environment
from harness.session.client import Session
with Session(Environment.load("dev")) as session, session.namespace() as opened:
    opened.services["toy"].put("greeting", "hello")
    print(session.id, flush=True)
    sys.stdin.read()
"""


def hold(project: Path) -> tuple[subprocess.Popen[str], str]:
    """Start another process that holds the session until its standard input ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    return holder, holder.stdout.readline().strip()


def write(project: Path, **services: str) -> Environment:
    text = (project / "environments" / "dev.yaml").read_text()
    lines = "".join(f"  {name}: {block}\n" for name, block in services.items())
    (project / "environments" / "dev.yaml").write_text(text.replace("  toy: {keys: [greeting]}\n", lines))
    return Environment.load("dev", folder=project / "environments")


def test_a_session_starts_its_services_and_leaves_nothing(environment: Environment) -> None:
    events: list[ServiceEvent] = []
    with Session(environment, on_event=events.append) as session, session.namespace("main") as main:
        main.services["toy"].ping()
        assert [event.phase for event in events] == ["starting", "ready"]
    assert reaper.processes_of(session.id) == []
    assert not (records.runtime_dir() / session.id).exists()


def test_namespaces_do_not_see_each_other(environment: Environment) -> None:
    with Session(environment) as session, session.namespace() as one, session.namespace() as other:
        one.services["toy"].put("greeting", "hello")
        assert [dataset.name for dataset in one.services["toy"].snapshot()] == ["greeting"]
        assert other.services["toy"].snapshot() == []


def test_a_fresh_namespace_is_emptied_at_its_end_and_a_named_one_stays(environment: Environment) -> None:
    with Session(environment) as session:
        with session.namespace() as fresh:
            fresh.services["toy"].put("greeting", "hello")
        with session.namespace("kept") as kept:
            kept.services["toy"].put("greeting", "still here")
        with session.namespace("kept") as again, session.namespace("main") as main:
            assert again.services["toy"].snapshot()[0].digests == {"still here": 1}
            assert list(main.services["toy"].ask("list")) == ["n2-greeting"]


def test_a_namespace_tells_airflow_where_things_are(environment: Environment) -> None:
    with Session(environment) as session, session.namespace() as opened:
        toy = opened.services["toy"]
        assert opened.environ["AIRFLOW_VAR_REGION"] == "eu-west-1"
        assert str(toy.endpoint.port) in opened.environ["AIRFLOW_CONN_DRAWER"]
        assert opened.environ["TOY_PREFIX"] == f"{opened.name}-"


def test_the_process_environment_holds_the_parts_of_a_service_that_it_names(project: Path) -> None:
    path = project / "environments" / "dev.yaml"
    parts = ("address", "host", "port", "password", "url")
    lines = "".join(f"    TOY_{part.upper()}: {{service: toy, part: {part}}}\n" for part in parts)
    path.write_text(f"{path.read_text()}  environ:\n    LEVEL: debug\n{lines}")
    with Session(Environment.load("dev", folder=path.parent)) as session, session.namespace() as opened:
        at = opened.services["toy"].endpoint
        found = {name: opened.environ[name] for name in ("LEVEL", *(f"TOY_{part.upper()}" for part in parts))}
    assert found == {
        "LEVEL": "debug",
        "TOY_ADDRESS": f"127.0.0.1:{at.port}",
        "TOY_HOST": "127.0.0.1",
        "TOY_PORT": str(at.port),
        "TOY_PASSWORD": "toy-secret",
        "TOY_URL": f"http://127.0.0.1:{at.port}",
    }


def test_two_processes_share_one_set_of_services(environment: Environment, project: Path) -> None:
    with Session(environment) as mine:
        holder, theirs = hold(project)
        assert theirs == mine.id
        record = records.find(records.session_key(environment))
        assert record is not None
        status = status_of(record)
        assert status is not None
        assert {lease["pid"] for lease in status["leases"]} == {os.getpid(), holder.pid}
        holder.communicate()
        assert mine.health()[0].healthy


def test_another_spec_gets_services_of_its_own(environment: Environment, project: Path) -> None:
    with Session(environment) as one, Session(write(project, toy="{keys: [greeting, farewell]}")) as other:
        assert one.id != other.id


def test_what_is_not_a_service_does_not_part_sessions(environment: Environment, project: Path) -> None:
    path = project / "environments" / "dev.yaml"
    path.write_text(path.read_text() + "data: {days: 9}\n")
    with Session(environment) as one, Session(Environment.load("dev", folder=path.parent)) as other:
        assert one.id == other.id


def test_kill_9_of_a_client_removes_its_namespace_and_leaves_the_others(
    environment: Environment, project: Path
) -> None:
    with Session(environment) as mine, mine.namespace("main") as main:
        holder, _ = hold(project)
        assert main.services["toy"].ask("list") != {}
        holder.kill()
        holder.wait()
        assert eventually(lambda: main.services["toy"].ask("list") == {})


def test_kill_9_of_the_only_client_ends_the_session(gone: Gone, project: Path) -> None:
    holder, session = hold(project)
    holder.kill()
    holder.wait()
    assert gone(session)


def test_kill_9_of_the_daemon_leaves_nothing(gone: Gone, environment: Environment, project: Path) -> None:
    holder, session = hold(project)
    record = records.find(records.session_key(environment))
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    assert gone(session)
    holder.kill()
    holder.wait()


def test_the_reaper_is_replaced_when_it_is_killed(environment: Environment) -> None:
    def watches(process: psutil.Process) -> bool:
        try:
            return "harness.session.reaper" in process.cmdline()
        except psutil.NoSuchProcess:
            return False

    def watchers(session: str) -> list[int]:
        return [one.pid for one in reaper.processes_of(session) if watches(one)]

    with Session(environment) as session:
        (first,) = watchers(session.id)
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: watchers(session.id) not in ([], [first]))
        assert len(watchers(session.id)) == 1


def test_what_a_crash_of_everything_left_is_cleaned_by_the_next_start(environment: Environment, project: Path) -> None:
    holder, session = hold(project)
    for process in [*reaper.processes_of(session), psutil.Process(holder.pid)]:
        process.kill()
    holder.wait()
    with Session(environment) as fresh:
        assert fresh.id != session
        assert not (records.runtime_dir() / session).exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_to_the_daemon_stops_everything_in_order(gone: Gone, project: Path, signum: signal.Signals) -> None:
    holder, session = hold(project)
    (record,) = records.records()
    os.kill(record.pid, signum)
    assert gone(session)
    holder.communicate()


def test_a_service_that_dies_at_its_start_is_told_with_its_log(environment: Environment, project: Path) -> None:
    with pytest.raises(Crashed) as caught, Session(write(project, toy="{behaviour: crash}")):
        pass
    assert caught.value.log == ("toy store", "toy: cannot open the drawer")
    assert "toy (embedded)" in str(caught.value)


def test_a_service_that_never_answers_is_told_with_what_was_tried(project: Path, environment: Environment) -> None:
    with pytest.raises(StartTimeout, match="did not answer a round trip") as caught:
        Session(write(project, toy="{behaviour: hang, start_timeout: 0.5}")).start()
    assert "start_timeout" in str(caught.value)


def test_the_other_services_stop_when_one_fails(project: Path, environment: Environment) -> None:
    failing = write(project, toy="{}", other="{role: toy, behaviour: crash}")
    with pytest.raises(Crashed):
        Session(failing).start()
    assert list(records.records()) == []


def test_a_service_that_died_is_unhealthy_with_the_reason(environment: Environment) -> None:
    with Session(environment) as session, session.namespace("main") as main:
        assert main.services["toy"].ask("die") == {}
        (health,) = session.health()
        assert not health.healthy
        assert health.detail.startswith(("does not answer: ", "its process ended; last log lines: toy store"))


def test_a_daemon_of_another_version_says_so_plainly(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    with Session(environment):
        monkeypatch.setattr(wire, "VERSION", 999)
        with pytest.raises(ServiceError, match="speaks wire version 1, this client speaks 999"):
            Session(environment).start()


def test_up_leaves_the_services_for_later_commands_and_down_ends_them(harness: Harness) -> None:
    up = harness("up", "dev", "--keep", "10m")
    assert up.returncode == 0, up.stderr
    shown = harness("status")
    assert "nobody for" in shown.stdout
    done = harness("exec", "dev", "--", sys.executable, "-c", "import os; print(os.environ['TOY'])")
    assert done.stdout.strip() in up.stdout
    assert "toy store" in harness("logs", "toy").stdout
    down = harness("down")
    assert down.returncode == 0, down.stderr
    assert harness("status").stdout == "no session is running\n"
    assert harness("down").returncode == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--date", "2026-13-01"], "'2026-13-01' is not a date"),
        ([], "the seed 'sedes:orders' of some is in no module of the project; write sedes.py"),
    ],
    ids=["date", "seed"],
)
def test_what_the_request_tells_is_refused_before_a_service_starts(
    harness: Harness, project: Path, words: list[str], said: str
) -> None:
    path = project / "environments" / "dev.yaml"
    path.write_text(path.read_text() + 'dags: {some: {seed: "sedes:orders"}}\n')
    done = harness("run", "some", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "toy" not in done.stderr


def test_exec_gives_the_commands_own_exit_code(harness: Harness) -> None:
    assert harness("exec", "dev", "--", sys.executable, "-c", "raise SystemExit(7)").returncode == 7


def test_a_failing_service_is_exit_3_in_one_message(harness: Harness, project: Path) -> None:
    write(project, toy="{behaviour: crash}")
    done = harness("up", "dev")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "  | toy: cannot open the drawer" in done.stderr


def test_a_folder_whose_path_is_too_long_for_sockets_is_refused(project: Path, tmp_path: Path) -> None:
    environ = {**os.environ, "HARNESS_RUNTIME": str(tmp_path / ("r" * 100))}
    up = [sys.executable, "-m", "harness", "up", "dev"]
    done = subprocess.run(up, cwd=project, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "too long for sockets" in done.stderr
    assert "set HARNESS_RUNTIME" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_during_start_up_leaves_nothing(gone: Gone, project: Path, signum: signal.Signals) -> None:
    write(project, toy="{behaviour: hang}")
    client = subprocess.Popen([sys.executable, "-m", "harness", "up", "dev"], cwd=project, stderr=subprocess.PIPE)
    assert eventually(lambda: bool(list(records.records())))
    (record,) = records.records()
    client.send_signal(signum)
    client.communicate(timeout=60)
    assert client.returncode in (130, 143)
    assert gone(record.id)


def test_stop_ends_a_session_that_others_hold(gone: Gone, environment: Environment, project: Path) -> None:
    holder, session = hold(project)
    record = records.find(records.session_key(environment))
    assert record is not None
    stop(record)
    assert gone(session, within=0.1)
    holder.communicate()


def test_an_external_service_is_used_as_it_is_and_left_as_it_is(environment: Environment, project: Path) -> None:
    with Session(environment) as session, session.namespace("main") as main:
        theirs = main.services["toy"]
        theirs.put("greeting", "from elsewhere")
        coordinates = f"{{engine: external, host: 127.0.0.1, port: {theirs.endpoint.port}, keys: [greeting]}}"
        with Session(write(project, toy=coordinates)) as outside, outside.namespace() as all_of_it:
            assert all_of_it.services["toy"].snapshot()[0].name == "greeting"
        assert theirs.ask("list") == {"greeting": "from elsewhere"}


def test_an_external_service_without_an_address_is_told_what_to_write(project: Path, environment: Environment) -> None:
    with pytest.raises(ServiceError, match="no host and no port"):
        Session(write(project, toy="{engine: external}")).start()


def test_a_session_that_was_started_is_not_started_again_by_its_block(environment: Environment) -> None:
    session = Session(environment)
    session.start()
    first = session.id
    with session, session.namespace() as opened:
        assert session.id == first
        opened.services["toy"].ping()
