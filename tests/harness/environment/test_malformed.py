# ruff: noqa: E501 - a case is a file and a message, and reads best in one line
from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import NamedTuple

import pytest

from harness.errors import ConfigError

from .conftest import Files

SERVICES = """\
stage: test
services:
  postgres: {databases: [warehouse]}
  s3: {buckets: [lake]}
  kafka: {topics: {orders: {partitions: 3}}}
  http: {apps: {movies: "sources.movies:app"}}
"""
BOMB = "stage: test\na0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))


class Case(NamedTuple):
    text: str | bytes
    place: str
    message: str


CASES = {
    # the file itself
    "empty": Case("", "1:1", "the file is empty"),
    "only a comment": Case("# nothing\n", "1:1", "the file is empty"),
    "a list at the top": Case("- stage\n", "1:1", "expected a mapping of keys, got a list"),
    "text at the top": Case("stage\n", "1:1", "expected a mapping of keys, got 'stage'"),
    "binary": Case(b"stage: test\n\x89PNG\r\n\x1a\n", "2:1", "not a UTF-8 text file: byte 0x89"),
    "a control character": Case(b"stage: te\x00st\n", "1:10", "not a text file: control character '\\x00'"),
    "two documents": Case("stage: test\n---\nstage: dev\n", "2:1", "a second YAML document begins here"),
    "too large": Case("#" * 300_000, "1:1", "larger than 256 KiB"),
    # the YAML
    "a tab": Case("stage: test\nservices:\n\ts3: {}\n", "3:1", "a tab, which YAML does not allow here; indent with sp"),
    "an open bracket": Case("services: {s3: {buckets: [lake}\n", "1:31", "not valid YAML: "),
    "an open quote": Case("stage: 'test\n", "2:1", "not valid YAML: found unexpected end of stream"),
    "two colons": Case("stage: test: dev\n", "1:12", "not valid YAML: a second ':' in one line; quote text"),
    "wrong indentation": Case("data:\n    days: 3\n  seed: 1\n", "3:3", "not valid YAML: "),
    "a duplicate key": Case(
        "stage: test\ndata:\n  days: 3\n  days: 4\n", "4:3", "data.days: duplicate key; the first is on line 3"
    ),
    "a Python object": Case("stage: !!python/name:os.system\n", "1:8", "stage: the tag !!python/name:os.system is not"),
    "an unknown alias": Case("stage: *later\n", "1:8", "not valid YAML: found undefined alias 'later'"),
    "an alias in itself": Case("dags: &dags [*dags]\n", "1:7", "dags[0]: an alias that contains itself"),
    "an alias bomb": Case(BOMB, "2:10", "more than 20000 values after its aliases are unfolded"),
    "nested too deeply": Case("dags: " + "[" * 200_000, "1:107", "nested too deeply"),
    "a number as a key": Case("stage: test\ndags:\n  1: {}\n", "3:3", "dags: a key must be text, got 1; put it in quotes"),
    "a list as a key": Case("? [a]\n: b\n", "1:3", "a key must be text"),
    # numbers
    "a huge number": Case("data:\n  days: 99999999999999999999\nstage: test\n", "2:9", "data.days: must be at most 366"),
    "a number of many digits": Case(f"data: {{seed: {'9' * 5000}}}\n", "1:14", "data.seed: a number of 5000 characters"),
    "not a number": Case("services: {s3: {start_timeout: .nan}}\n", "1:32", "services.s3.start_timeout: .nan is not a fi"),
    "infinity": Case("services: {s3: {start_timeout: 1e999}}\n", "1:32", "services.s3.start_timeout: 1e999 is not a fini"),
    "a negative number": Case(
        "stage: test\nservices:\n  kafka:\n    topics:\n      orders: {partitions: -1}\n",
        "5:28",
        "services.kafka.topics.orders.partitions: must be at least 1, got -1",
    ),
    "text for a number": Case(
        'stage: test\ndata: {days: "3"}\n', "2:14", "data.days: expected a whole number, got '3'"
    ),
    "a truth value for a number": Case(
        "stage: test\nairflow: {pools: {spark: true}}\n",
        "2:26",
        "airflow.pools.spark: expected a whole number, got true",
    ),
    "a fraction for a whole number": Case("stage: test\ndata: {days: 2.5}\n", "2:14", "data.days: expected a whole number"),
    # types, keys and choices
    "an unknown key at the top": Case("stage: test\nservcies: {}\n", "2:1", "servcies: unknown key; did you mean 'services'?"),
    "an unknown key in a topic": Case(
        "stage: test\nservices:\n  kafka:\n    topics:\n      orders: {partitons: 3}\n",
        "5:16",
        "services.kafka.topics.orders.partitons: unknown key; did you mean 'partitions'?",
    ),
    "an unknown key like no other": Case(
        "stage: test\ndata: {zzz: 3}\n", "2:8", "data.zzz: unknown key; known keys: volume, days, seed"
    ),
    "an unknown key in a DAG's dates": Case(
        "stage: test\ndags: {d: {dates: {from: 2026-01-01, til: 2026-01-02, to: 2026-01-03}}}\n",
        "2:38",
        "dags.d.dates.til: unknown key; ",
    ),
    "a key of another role": Case(
        "stage: test\nservices:\n  s3:\n    topics: {}\n", "4:5", "services.s3.topics: unknown key; known keys: "
    ),
    "a list for a mapping": Case("stage: test\nservices: [s3]\n", "2:11", "services: expected a mapping, got a list"),
    "text for a list": Case(
        "stage: test\nservices: {s3: {buckets: lake}}\n", "2:26", "services.s3.buckets: expected a list, got 'lake'"
    ),
    "a number for text": Case(
        "stage: test\nairflow: {environ: {LEVEL: 3}}\n",
        "2:28",
        "airflow.environ.LEVEL: expected text, got 3; put it in quotes",
    ),
    "nothing for a service": Case(
        "stage: test\nservices:\n  s3:\n", "3:3", "services.s3: expected a mapping, got nothing; write {} for the defaults"
    ),
    "an unknown stage": Case(
        "stage: tset\n", "1:8", "stage: expected 'dev', 'test', 'acc' or 'prod', got 'tset'; did you mean 'test'?"
    ),
    "no stage": Case("data: {}\n", "1:1", "stage: required, and missing; set it here, or use an environment that exten"),
    "an unknown engine": Case(
        "stage: test\nservices: {s3: {engine: docker}}\n", "2:25", "services.s3.engine: expected 'embedded', 'container' or"
    ),
    "an unknown role": Case(
        "stage: test\nservices:\n  kafak: {}\n", "3:3", "services.kafak: no role is called 'kafak'; did you mean 'kafka'?"
    ),
    "an unknown role by key": Case(
        "stage: test\nservices:\n  audit: {role: postgers}\n",
        "3:17",
        "services.audit.role: no role is called 'postgers'; did you mean 'postgres'?",
    ),
    "a bucket name with capitals": Case(
        "stage: test\nservices: {s3: {buckets: [Lake]}}\n", "2:27", "services.s3.buckets[0]: 'Lake' is not a bucket name"
    ),
    "a repeated name": Case(
        "stage: test\nservices: {s3: {buckets: [lake, lake]}}\n", "2:26", "services.s3.buckets: 'lake' is written twice"
    ),
    "an address for an embedded service": Case(
        "stage: test\nservices: {postgres: {host: db}}\n",
        "2:23",
        "services.postgres.host: the engine 'embedded' chooses its own host; set 'engine: external', or remove it",
    ),
    "an unknown property": Case(
        "stage: test\ndags: {d: {proofs: {skip: {ordr: why}}}}\n", "2:28", "dags.d.proofs.skip.ordr: expected 'rerun', "
    ),
    "a skipped proof without a reason": Case(
        "stage: test\ndags: {d: {proofs: {skip: {order: ''}}}}\n", "2:35", "dags.d.proofs.skip.order: must not be empty"
    ),
    "an unknown task state": Case(
        "stage: test\ndags: {d: {expect: {t: {states: [faild], reason: why}}}}\n",
        "2:34",
        "dags.d.expect.t.states[0]: expected 'success', 'failed', ",
    ),
    "dates that run backwards": Case(
        "stage: test\ndags: {d: {dates: {from: 2026-01-05, to: 2026-01-01}}}\n",
        "2:12",
        "dags.d.dates: 'from' 2026-01-05 is after 'to' 2026-01-01",
    ),
    "a day that does not exist": Case(
        "stage: test\ndags: {d: {dates: {from: 2026-02-30, to: 2026-03-01}}}\n",
        "2:26",
        "dags.d.dates.from: '2026-02-30' is not a date such as 2026-01-31",
    ),
    "a number for a date": Case(
        "stage: test\ndags: {d: {dates: {from: 0, to: 2026-03-01}}}\n", "2:26", "dags.d.dates.from: expected a date such"
    ),
    "a seed that is no function": Case(
        "stage: test\ndags: {d: {seed: seeds.py}}\n", "2:18", "dags.d.seed: 'seeds.py' is not of the form 'package.module"
    ),
    "a connection without anything": Case(
        "stage: test\nairflow: {connections: {lake: {}}}\n",
        "2:25",
        "airflow.connections.lake: needs a 'service' of this environment, or a 'conn_type'",
    ),
    # parents
    "a missing parent": Case("extends: bas\nstage: test\n", "1:10", "extends: no environment 'bas'; did you mean 'base'?"),
    "two parents": Case("extends: [base, dev]\n", "1:10", "extends: expected the name of one environment, got a list"),
    "a parent by path": Case("extends: ../base.yaml\n", "1:10", "extends: expected the name of one environment, got '../b"),
    "itself as parent": Case("extends: test\n", "1:10", "extends: runs in a circle: test -> test"),
    # variables of the process
    "a variable that is not set": Case(
        "stage: test\nairflow: {variables: {region: '${REGION}'}}\n",
        "2:31",
        "airflow.variables.region: the variable REGION is not set; set it, or write ${REGION:-default}",
    ),
    "a malformed variable": Case(
        "stage: ${stage-name}\n", "1:8", "stage: '${' does not begin a variable; write ${NAME} or ${NAME:-default}"
    ),
}  # fmt: skip

REFERENCES = {
    "connection to no service": (
        "airflow: {connections: {events: {service: kafak}}}",
        "7:43",
        "airflow.connections.events.service: no service 'kafak' in this environment; did you mean 'kafka'?",
    ),
    "connection to no database": (
        "airflow: {connections: {db: {service: postgres, database: warehous}}}",
        "7:59",
        "airflow.connections.db.database: the service 'postgres' declares no database 'warehous'; did you mean 'warehouse'?",
    ),
    "connection to no bucket": (
        "airflow: {connections: {lake: {service: s3, bucket: gold}}}",
        "7:53",
        "airflow.connections.lake.bucket: the service 's3' declares no bucket 'gold'; buckets are: lake",
    ),
    "connection to no app": (
        "airflow: {connections: {api: {service: http, app: movie}}}",
        "7:51",
        "airflow.connections.api.app: the service 'http' declares no app 'movie'; did you mean 'movies'?",
    ),
    "connection to a kind that the role lacks": (
        "airflow: {connections: {events: {service: kafka, database: warehouse}}}",
        "7:50",
        "airflow.connections.events.database: the service 'kafka' has no databases",
    ),
    "variable with no topic": (
        "airflow: {variables: {t: {service: kafka, topic: order}}}",
        "7:50",
        "airflow.variables.t.topic: the service 'kafka' declares no topic 'order'; did you mean 'orders'?",
    ),
    "variable to no service": (
        "airflow: {variables: {t: {service: s4, bucket: lake}}}",
        "7:36",
        "airflow.variables.t.service: no service 's4' in this environment; services are: postgres, s3",
    ),
    "variable with a mistyped kind": (
        "airflow: {variables: {t: {service: kafka, topc: orders}}}",
        "7:43",
        "airflow.variables.t.topc: unknown key; did you mean 'topic'?",
    ),
    "outputs in no service": (
        "dags: {d: {outputs: {postgre: [warehouse.public.t]}}}",
        "7:22",
        "dags.d.outputs.postgre: no service 'postgre' in this environment; did you mean 'postgres'?",
    ),
    "outputs in no database": (
        "dags: {d: {outputs: {postgres: [warehose.public.t]}}}",
        "7:33",
        "dags.d.outputs.postgres[0]: the service 'postgres' declares no database 'warehose'; did you mean 'warehouse'?",
    ),
    "outputs without a schema": (
        "dags: {d: {outputs: {postgres: [ltv]}}}",
        "7:33",
        "dags.d.outputs.postgres[0]: 'ltv' is not a full table name; write database.schema.table",
    ),
    "staging in no bucket": (
        'dags: {d: {staging: {s3: ["leak/bronze/"]}}}',
        "7:27",
        "dags.d.staging.s3[0]: the service 's3' declares no bucket 'leak'; did you mean 'lake'?",
    ),
    "volatile in no database": (
        "dags: {d: {volatile: {postgres: {ware.public.t: {at: why}}}}}",
        "7:34",
        'dags.d.volatile.postgres["ware.public.t"]: the service \'postgres\' declares no database \'ware\'; databases are',
    ),
    "outputs that are a bucket": (
        "dags: {d: {outputs: {s3: [lake]}}}",
        "7:27",
        "dags.d.outputs.s3[0]: 'lake' is a bucket, and nothing in it; write 'lake/' for all it holds",
    ),
    "outputs by an address": (
        "dags: {d: {outputs: {s3: ['s3://lake/gold/']}}}",
        "7:27",
        "dags.d.outputs.s3[0]: 's3://lake/gold/' is an address; write 'lake/gold/': the bucket, and what is in it",
    ),
    "outputs that are only read": (
        "dags: {d: {outputs: {http: ['shop GET /stock']}}}",
        "7:29",
        "dags.d.outputs.http[0]: 'shop GET /stock' is no call; write 'app METHOD /path' with one of POST, PUT, PATCH,",
    ),
    "outputs of no application": (
        "dags: {d: {outputs: {http: ['shoe POST /*']}}}",
        "7:29",
        "dags.d.outputs.http[0]: the service 'http' declares no app 'shoe'; apps are: movies",
    ),
    "outputs by a glob over no bucket": (
        "dags: {d: {outputs: {s3: ['leak*/gold/']}}}",
        "7:27",
        "dags.d.outputs.s3[0]: the service 's3' declares no bucket 'leak*'; did you mean 'lake'?",
    ),
    "no outputs of a service": (
        "dags: {d: {outputs: {s3: []}}}",
        "7:22",
        "dags.d.outputs.s3: an empty list publishes nothing; leave it out",
    ),
    "outputs that are staging": (
        "dags: {d: {outputs: {s3: [lake/gold/day]}, staging: {s3: [lake/gold/]}}}",
        "7:27",
        "dags.d.outputs.s3[0]: 'lake/gold/day' is never compared: 'staging' has 'lake/gold/'; remove one of the two",
    ),
    "untouched and no output": (
        "dags: {d: {outputs: {s3: [lake/gold/]}, untouched: {s3: {lake/glod/: weekly}}}}",
        "7:58",
        "dags.d.untouched.s3[\"lake/glod/\"]: 'lake/glod/' is no declared output; did you mean 'lake/gold/'?",
    ),
    "untouched without a reason": (
        "dags: {d: {outputs: {s3: [lake/gold/]}, untouched: {s3: {lake/gold/: ''}}}}",
        "7:70",
        "dags.d.untouched.s3[\"lake/gold/\"]: must not be empty",
    ),
    "outputs in no topic": (
        "dags: {d: {outputs: {kafka: [payments]}}}",
        "7:30",
        "dags.d.outputs.kafka[0]: the service 'kafka' declares no topic 'payments'; topics are: orders",
    ),
}  # fmt: skip


def the_error(files: Files, text: str | bytes) -> str:
    files.write("stage: dev\n", "base")
    files.write(text)
    with pytest.raises(ConfigError) as caught:
        files.load()
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_malformed_file_is_told_in_one_line_with_its_place(files: Files, case: Case) -> None:
    message = the_error(files, case.text)
    assert message.startswith(f"environments/test.yaml:{case.place}: {case.message}")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(("block", "place", "message"), REFERENCES.values(), ids=REFERENCES.keys())
def test_a_reference_that_leads_nowhere_is_told_with_its_place(
    files: Files, block: str, place: str, message: str
) -> None:
    found = the_error(files, f"{SERVICES}{block}\n")
    assert found.startswith(f"environments/test.yaml:{place}: {message}")
    assert len(found.splitlines()) == 1


def test_the_services_that_the_references_are_tried_on_are_sound(files: Files) -> None:
    files.write(SERVICES)
    assert list(files.load().spec.services) == ["postgres", "s3", "kafka", "http"]


def test_a_circle_of_parents_is_told_with_all_its_members(files: Files) -> None:
    files.write("extends: b\n", "a")
    files.write("extends: test\n", "b")
    files.write("extends: a\nstage: test\n")
    with pytest.raises(
        ConfigError, match=r"^environments/b\.yaml:1:10: extends: runs in a circle: test -> a -> b -> test$"
    ):
        files.load()


def test_a_mistake_in_a_parent_is_told_at_the_parent(files: Files) -> None:
    files.write("data:\n  dyas: 3\n", "base")
    files.write("extends: base\nstage: test\n")
    with pytest.raises(
        ConfigError, match=r"^environments/base\.yaml:2:3: data\.dyas: unknown key; did you mean 'days'\?$"
    ):
        files.load()


def test_an_output_of_a_driver_is_a_table_of_its_catalogue(files: Files) -> None:
    block = "services: {spark: {packages: [delta]}}\ndags: {d: {outputs: {spark: [gold]}}}\n"
    assert the_error(files, f"stage: test\n{block}").startswith(
        "environments/test.yaml:3:30: dags.d.outputs.spark[0]: 'gold' is no table of a catalogue; write database.table"
    )


def test_names_that_differ_in_capitals_alone_are_one_name(files: Files) -> None:
    said = the_error(files, "stage: test\nairflow: {variables: {Limit: 1, limit: 2}}\n")
    assert "'Limit' and 'limit' are one name for Airflow, which writes both in capitals" in said


def test_a_variable_may_be_called_as_airflow_allows(files: Files) -> None:
    files.write("stage: test\nairflow: {variables: {team/limit: 3, 'daily limit': 4}}\n")
    assert dict(files.load().spec.airflow.variables) == {"team/limit": 3, "daily limit": 4}


def test_of_several_mistakes_the_first_is_told(files: Files) -> None:
    message = the_error(files, "stage: test\ndata:\n  days: 0\n  sede: 1\nservices: {s4: {}}\n")
    assert message == "environments/test.yaml:3:9: data.days: must be at least 1, got 0"


def test_an_environment_that_does_not_exist_names_those_that_do(files: Files) -> None:
    files.write("stage: dev\n", "dev")
    files.write("stage: test\n")
    with pytest.raises(
        ConfigError, match=r"no environment 'tset' in environments; did you mean 'test'\? \(there are: dev, test\)"
    ):
        files.load("tset")


def test_a_folder_that_does_not_exist_is_told(files: Files) -> None:
    files.folder.rmdir()
    with pytest.raises(ConfigError, match="no folder of environments at environments"):
        files.load()


def test_two_files_of_one_name_are_refused(files: Files) -> None:
    files.write("stage: test\n")
    (files.folder / "test.yml").write_text("stage: dev\n")
    with pytest.raises(ConfigError, match=r"^environments/test\.yml: environment 'test' is also in test\.yaml$"):
        files.load()


def test_a_secret_is_not_repeated_in_an_error(files: Files) -> None:
    files.write("stage: test\nservices: {postgres: {engine: external, password: 12345}}\n")
    with pytest.raises(ConfigError) as caught:
        files.load()
    assert str(caught.value).startswith("environments/test.yaml:2:51: services.postgres.password: expected text")
    assert "12345" not in str(caught.value)


def test_the_command_line_ends_with_2_and_one_line(
    files: Files, harness: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    files.write("stage: test\ndata: {dyas: 3}\n")
    ended = harness("env", "show", "test")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == "environments/test.yaml:2:8: data.dyas: unknown key; did you mean 'days'?\n"
