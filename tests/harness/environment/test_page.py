from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import Files

PAGE = (Path(__file__).parents[3] / "docs" / "environments.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_complete_example_loads_and_uses_every_block(files: Files) -> None:
    files.write("data: {days: 1}\n", "base")
    files.write(BLOCKS[0])
    environment = files.load()
    written = {re.split(r"\W", path, maxsplit=1)[0] for path in environment.origins}
    assert written == {"stage", "services", "airflow", "data", "egress", "dags", "gate"}
    assert set(environment.spec.services) == {"postgres", "audit_db", "s3", "kafka", "spark", "http", "smtp"}


def test_the_example_of_a_parent_loads(files: Files) -> None:
    files.write("services: {s3: {}, http: {}}\n", "base")
    files.write(BLOCKS[1])
    assert list(files.load().spec.services) == ["s3"]


def test_the_example_of_variables_loads(files: Files) -> None:
    files.write("services: {postgres: {databases: [warehouse]}}\n", "base")
    files.write(BLOCKS[2])
    postgres = files.load(PGHOST="db", PGUSER="etl", PGPASSWORD="x").spec.services["postgres"]
    assert (postgres.host, postgres.port, postgres.user) == ("db", 5432, "etl")


def test_the_message_of_the_page_is_the_message_of_the_harness(files: Files) -> None:
    from harness.errors import ConfigError

    files.write("\n" * 9 + "stage: test\nservices:\n  kafka:\n   topics: {orders: {\n      partitons: 3}}\n")
    with pytest.raises(ConfigError) as caught:
        files.load()
    assert str(caught.value) in PAGE
