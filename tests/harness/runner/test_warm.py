from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.session.forkclient import AIRFLOW_MODULES, ForkServer, Options

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What a child of the fork server of a session with S3 sees."""
    preload = [*AIRFLOW_MODULES, "harness.runner.warm:warm_aws"]
    with ForkServer.start(folder=tmp_path_factory.mktemp("fork"), preload=preload) as server:
        assert not server.missing
        options = Options(sys_path=[str(Path(__file__).parent)])
        yield server.client().run("warmth:look", {}, lambda event: None, options=options).result


@pytest.mark.parametrize("name", ["jinja2.ext", "harness.services.s3", "harness.session.records"])
def test_what_tasks_and_runs_import_late_is_there(seen: dict[str, Any], name: str) -> None:
    assert name in seen["modules"]


def test_a_client_of_s3_reads_no_file_again(seen: dict[str, Any]) -> None:
    assert seen["read"] == 0


def test_no_more_than_the_modules_of_the_child_are_looked_up_for_a_stack(seen: dict[str, Any]) -> None:
    assert seen["looked_up"] < 10
