from __future__ import annotations

import pytest

from harness.errors import ConfigError

from .conftest import Files


def region(files: Files, written: str, **environ: str) -> object:
    files.write(f"stage: test\nairflow: {{variables: {{region: '{written}'}}}}\n")
    return files.load(**environ).spec.airflow.variables["region"]


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("${REGION}", "eu"),
        ("a-${REGION}-${ZONE}", "a-eu-1"),
        ("${REGION:-us}", "eu"),
        ("${MISSING:-us}", "us"),
        ("${EMPTY:-us}", "us"),
        ("${MISSING:-}", ""),
        ("${EMPTY}", ""),
        ("$${REGION}", "${REGION}"),
        ("5$$", "5$"),
        ("$REGION costs $5", "$REGION costs $5"),
    ],
)
def test_variables_are_filled_from_the_process_environment(files: Files, written: str, filled: str) -> None:
    assert region(files, written, REGION="eu", ZONE="1", EMPTY="") == filled


def test_a_filled_value_is_a_number_only_where_one_is_wanted(files: Files) -> None:
    files.write(
        """\
        stage: test
        services:
          postgres: {engine: external, port: "${PORT}", password: "${PASSWORD}", start_timeout: "${T}"}
        airflow: {variables: {many: "${PORT}"}}
        """
    )
    spec = files.load(PORT="5433", PASSWORD="12345", T="2.5").spec
    postgres = spec.services["postgres"]
    assert (postgres.port, postgres.password, postgres.start_timeout) == (5433, "12345", 2.5)
    assert spec.airflow.variables["many"] == "5433"


def test_a_filled_value_that_does_not_fit_is_told_without_its_content(files: Files) -> None:
    files.write("stage: test\nservices: {postgres: {engine: external, port: '${PORT}'}}\n")
    with pytest.raises(ConfigError) as caught:
        files.load(PORT="hunter2")
    assert str(caught.value) == (
        "environments/test.yaml:2:47: services.postgres.port: expected a whole number, got the value of $PORT"
    )


def test_a_variable_in_a_value_that_a_child_replaces_need_not_be_set(files: Files) -> None:
    files.write("services: {postgres: {engine: external, host: '${PGHOST}'}}\n", "base")
    files.write("extends: base\nstage: test\nservices: {postgres: {host: there}}\n")
    assert files.load().spec.services["postgres"].host == "there"


def test_an_origin_names_the_variables_of_its_value(files: Files) -> None:
    files.write("stage: test\nservices: {postgres: {engine: external, host: '${HOST:-db}.${ZONE}'}}\n")
    assert files.load(ZONE="a").origins["services.postgres.host"].variables == ("HOST", "ZONE")
