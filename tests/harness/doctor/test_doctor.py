from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.cli import main as cli
from harness.doctor import GROUPS, Finding, containers, diagnose, groups, machine, packages, runtime
from harness.doctor.model import GIB
from harness.errors import ConfigError


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is all of PATH, for scripts that stand in for programs of the machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def script(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def pyspark(tmp_path: Path) -> Path:
    folder = tmp_path / "pyspark"
    (folder / "jars").mkdir(parents=True)
    (folder / "jars" / "spark-core_2.13-4.0.0.jar").touch()
    (folder / "version.py").write_text("__version__: str = '4.0.0'\n")
    return folder


@pytest.mark.parametrize(
    ("finding", "status"),
    [
        (machine.python((3, 10)), "missing"),
        (machine.python((3, 11)), "ok"),
        (machine.python((3, 12)), "ok"),
        (machine.python((3, 15)), "warn"),
        (machine.memory(8 * GIB), "ok"),
        (machine.memory(2 * GIB), "warn"),
        (machine.disk(9 * GIB), "ok"),
        (machine.disk(2 * GIB), "warn"),
        (machine.disk(GIB // 2), "missing"),
        (machine.open_files((8192, 8192)), "ok"),
        (machine.open_files((-1, -1)), "ok"),
        (machine.open_files((256, 8192)), "warn"),
        (machine.loopback(), "ok"),
        (machine.loopback("192.0.2.1"), "missing"),
    ],
    ids=lambda value: f"{value.name} {value.seen}" if isinstance(value, Finding) else value,
)
def test_an_amount_is_judged_and_what_is_not_ok_says_what_to_do(finding: Finding, status: str) -> None:
    assert finding.status == status
    assert bool(finding.how) is (status != "ok")


def test_a_soft_limit_of_files_that_the_user_may_raise_is_raised_by_ulimit() -> None:
    assert machine.open_files((256, 8192)).how == "ulimit -n 4096"
    assert "limits.conf" in machine.open_files((256, 1024)).how


def test_a_temporary_folder_that_is_not_there_is_missing(tmp_path: Path) -> None:
    finding = machine.temporary_folder(tmp_path / "nowhere")

    assert (finding.status, finding.seen) == ("missing", f"{tmp_path / 'nowhere'}: No such file or directory")


@pytest.mark.parametrize(
    ("flags", "blocks", "status"), [(os.ST_NOEXEC, 9 * GIB, "missing"), (0, 1000, "warn"), (0, 9 * GIB, "ok")]
)
def test_a_temporary_folder_must_be_roomy_and_let_libraries_execute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: int, blocks: int, status: str
) -> None:
    facts = SimpleNamespace(f_flag=flags, f_bavail=blocks, f_frsize=1)
    monkeypatch.setattr(os, "statvfs", lambda place: facts)

    assert machine.temporary_folder(tmp_path).status == status


def test_the_memory_limit_of_a_container_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{GIB}\n")
    (tmp_path / "unlimited").write_text("max\n")
    monkeypatch.setattr(machine, "CGROUP_LIMITS", (tmp_path / "memory.max", tmp_path / "unlimited"))

    assert machine.memory().seen == "1.0 GiB available"


def test_what_is_installed_here_is_what_the_distribution_asks_for() -> None:
    assert [finding.status for finding in diagnose(["packages"])] == ["ok", "ok", "ok"]


def test_a_package_that_is_absent_or_of_another_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["no-such-package>=1", "pytest>=1000", 'absent; extra == "kafka"', 'never; python_version < "3"']
    monkeypatch.setattr(packages.metadata, "requires", lambda name: lines)

    core, optional = packages.requirements(), packages.extras()

    assert core.status == "missing"
    assert "no-such-package is not installed; pytest is " in core.seen
    assert ", and >=1000 is asked for" in core.seen
    assert optional.status == "warn"
    assert optional.seen == "with spark, containers; without kafka"


def test_a_whole_pyspark_is_ok_with_and_without_its_client(pyspark: Path) -> None:
    assert packages.judge_pyspark("4.0.0", None, pyspark).status == "ok"
    assert packages.judge_pyspark("4.0.0", "4.0.0", pyspark).status == "ok"


def test_a_pyspark_client_of_another_version_is_found(pyspark: Path) -> None:
    finding = packages.judge_pyspark("4.0.0", "4.1.0", pyspark)

    assert (finding.status, finding.seen) == ("missing", "pyspark 4.0.0 lies over pyspark-client 4.1.0")


@pytest.mark.parametrize("lost", ["version.py", "jars/spark-core_2.13-4.0.0.jar"])
def test_a_pyspark_that_lost_files_to_another_package_is_found(pyspark: Path, lost: str) -> None:
    (pyspark / lost).unlink()

    finding = packages.judge_pyspark("4.0.0", "4.0.0", pyspark)

    assert finding.status == "missing"
    assert finding.how == "pip install --force-reinstall --no-deps pyspark==4.0.0 pyspark-client==4.0.0"


def test_no_pyspark_is_a_choice() -> None:
    assert packages.judge_pyspark(None, None, None).status == "warn"


def test_no_java_is_missing_with_how_to_install_one(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)

    finding = runtime.java()

    assert finding.status == "missing"
    assert "openjdk-17" in finding.how


def test_jars_count_once_their_folder_is_complete(tmp_path: Path) -> None:
    assert runtime.jars(tmp_path).status == "warn"

    folder = tmp_path / "jars" / runtime.fingerprint() / "kafka"
    folder.mkdir(parents=True)
    (folder / "kafka.jar").touch()

    assert (runtime.jars(tmp_path).status, runtime.jars(tmp_path).seen) == ("ok", f"1 in {folder.parent}")


def test_archives_are_named_by_the_program_that_they_speed_up(tmp_path: Path) -> None:
    assert runtime.archives(tmp_path).status == "warn"

    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "spark-0123.jsa").touch()
    (tmp_path / "archives" / "spark-4567.jsa").touch()

    assert runtime.archives(tmp_path).seen == f"spark in {tmp_path / 'archives'}"


def test_programs_are_found_where_they_are(program: Path, tmp_path: Path) -> None:
    assert runtime.minio().status == "warn"
    assert runtime.libfaketime([str(tmp_path / "libfaketime.*")]).status == "warn"

    script(program, "minio", "true")
    (tmp_path / "libfaketime.so.1").touch()

    assert runtime.minio().seen == str(program / "minio")
    assert runtime.libfaketime([str(tmp_path / "libfaketime.*")]).seen == str(tmp_path / "libfaketime.so.1")


def test_a_daemon_that_answers_is_named_with_its_version(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
    script(program, "docker", "echo 28.1")

    finding = containers.docker()

    assert (finding.status, finding.seen) == ("ok", "daemon 28.1 at DOCKER_HOST=unix:///run/other.sock")


def test_a_daemon_that_does_not_answer_is_quoted(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    script(program, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")

    finding = containers.docker(sockets=())

    assert (finding.status, finding.seen) == ("warn", "the default socket: Cannot connect to the Docker daemon")
    assert finding.how == containers.HOW


def test_a_podman_socket_is_offered_in_place_of_docker(program: Path, tmp_path: Path) -> None:
    socket = tmp_path / "podman.sock"
    socket.touch()

    assert f"export DOCKER_HOST=unix://{socket}" in containers.docker(sockets=(socket,)).how


def test_a_group_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match=r"'jave'; there are machine, packages, java"):
        diagnose(["jave"])


def missing() -> Finding:
    return Finding("Java", "missing", "no java", "Spark", "install [one]")


def present() -> Finding:
    return Finding("disk", "ok", "9 GiB [free]", "jars")


def test_the_command_ends_with_3_when_something_is_missing_and_lists_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(groups, "GROUPS", {"java": (missing, present)})

    assert cli.main(["doctor"]) == 3

    told = capsys.readouterr()
    assert "9 GiB [free]" in told.out
    assert "Java: install [one]" in told.out
    assert told.err == "missing: Java: no java; install [one]\n"


def test_the_command_gives_one_object_to_who_asks_for_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(groups, "GROUPS", {"java": (missing,), "machine": (present,)})

    assert cli.main(["doctor", "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["verdict"]) == ("harness.doctor/1", "error")
    assert answer["reasons"] == ["Java: no java; install [one]"]
    assert [finding["status"] for finding in answer["findings"]] == ["missing", "ok"]

    assert cli.main(["doctor", "machine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "pass"


def test_looking_at_the_packages_imports_none_of_them() -> None:
    code = """
import sys
from harness.doctor import diagnose
diagnose(["packages", "java", "machine"])
print(sorted({"pyspark", "airflow", "py4j", "moto"} & set(sys.modules)))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout == "[]\n"


def test_every_check_of_every_group_gives_a_finding_on_this_machine() -> None:
    findings = diagnose()

    assert len(findings) == sum(len(checks) for checks in GROUPS.values())
    assert len({finding.name for finding in findings}) == len(findings)
    assert all(finding.seen and finding.needed_for for finding in findings)
    assert tempfile.gettempdir() in next(finding.seen for finding in findings if finding.name == "temporary folder")
