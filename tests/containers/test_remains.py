from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.engines.container.base import SESSION_LABEL
from harness.engines.container.remains import remove
from tests.patience import eventually

ENVIRONMENT = """
stage: dev
services:
  postgres: {engine: container, databases: [warehouse]}
  s3: {engine: container, buckets: [lake]}
"""

PROJECT = Path(__file__).resolve().parents[2]

#: builds an image whose only step takes ten minutes
BUILD = """
from pathlib import Path
from harness.engines import image_build, images
from harness.engines.container.docker_engine import connect

images.images_folder = lambda: Path({folder!r})
image_build.CONTENTS = {{"minio": lambda cache, report: iter(())}}
image_build.build(connect(), images.recipe_for("minio"), print)
"""

#: seconds; the promise of the README
GONE_WITHIN = 10.0


def things_of(client: Any, session: str) -> list[Any]:
    mine = {"label": f"{SESSION_LABEL}={session}"}
    found = [*client.containers.list(all=True, filters=mine, ignore_removed=True), *client.networks.list(filters=mine)]
    return [*found, *client.volumes.list(filters=mine)]


def test_only_what_carries_the_sessions_label_is_removed(docker_client: Any, some_image: str) -> None:
    sessions = [f"test-{os.getpid()}-{letter}" for letter in "ab"]
    for session in sessions:
        labels = {SESSION_LABEL: session}
        docker_client.containers.create(some_image, labels=labels)
        docker_client.containers.run(some_image, ["server", "/data"], labels=labels, detach=True)
        docker_client.networks.create(session, labels=labels)
        docker_client.volumes.create(session, labels=labels)
    assert remove(sessions[0]) >= 4
    assert things_of(docker_client, sessions[0]) == []
    assert len(things_of(docker_client, sessions[1])) == 4
    remove(sessions[1])
    assert things_of(docker_client, sessions[1]) == []


def test_without_a_container_engine_there_is_nothing_to_remove(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert remove("anything") == 0


@pytest.fixture
def user(tmp_path: Path, built: Callable[[str], str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of a user that holds an environment on containers, with a runtime folder of its own."""
    for image in ("postgres", "minio"):
        built(image)
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "dev.yaml").write_text(ENVIRONMENT)
    runtime = tmp_path / "runtime"
    command = [sys.executable, "-m", "harness", "exec", "dev", "--", "sleep", "600"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, "HARNESS_RUNTIME": str(runtime)}, stdout=log, stderr=log
        )
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("victims", ["client", "daemon", "both"])
@pytest.mark.parametrize("moment", ["first-container", "all-ready"])
def test_nothing_is_left_ten_seconds_after_kill_9(
    moment: str, victims: str, user: subprocess.Popen[bytes], docker_client: Any, tmp_path: Path
) -> None:
    assert eventually(lambda: bool(list((tmp_path / "runtime").glob("*/record.json"))))
    (record,) = (tmp_path / "runtime").glob("*/record.json")
    session = record.parent.name
    assert eventually(lambda: bool(things_of(docker_client, session)))
    if moment == "all-ready":
        children = psutil.Process(user.pid).children
        assert eventually(lambda: any(child.name() == "sleep" for child in children()), within=120)
    daemon = next(one for one in psutil.process_iter() if one.pid != user.pid and is_daemon(one, session))
    # a sleep of `harness exec` is the user's own process and outlives its parent, as under any shell
    sleeping = psutil.Process(user.pid).children()
    for process in {"client": [user], "daemon": [daemon], "both": [user, daemon]}[victims]:
        os.kill(process.pid, signal.SIGKILL)
    for child in sleeping:
        if child.name() == "sleep":
            child.kill()
    user.kill()
    user.wait()
    gone = eventually(lambda: not things_of(docker_client, session) and not record.parent.exists(), GONE_WITHIN)
    assert gone, things_of(docker_client, session)


def is_daemon(process: psutil.Process, session: str) -> bool:
    try:
        return process.environ().get("HARNESS_SESSION") == session and "harness.session.daemon" in process.cmdline()
    except psutil.Error:
        return False


def test_nothing_is_left_ten_seconds_after_kill_9_of_an_image_build(docker_client: Any, tmp_path: Path) -> None:
    images = tmp_path / "harness-images"
    (tmp_path / "tmp").mkdir()
    environ = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(PROJECT)}
    program = BUILD.format(folder=str(images))
    (images / "minio").mkdir(parents=True)
    (images / "minio" / "Dockerfile").write_text("FROM debian:bookworm-slim\nRUN sleep 600.5\n")
    building = subprocess.Popen([sys.executable, "-c", program], env=environ)
    assert eventually(lambda: bool(steps_of_builds(docker_client)), within=120)
    building.kill()
    building.wait()
    assert eventually(lambda: not steps_of_builds(docker_client), GONE_WITHIN)
    assert list((tmp_path / "tmp").iterdir()) == []


def steps_of_builds(client: Any) -> list[Any]:
    listed = client.containers.list(all=True, ignore_removed=True)
    return [container for container in listed if "sleep 600.5" in str(container.attrs["Config"]["Cmd"])]
