"""Each acknowledged write is recorded, and a fault strikes directly after the one that it names."""

from __future__ import annotations

from contextlib import suppress

import psycopg
import pytest
from confluent_kafka import TopicPartition

from harness import faults


def recorded(stores, dag_id):
    with faults.recorded():
        report = stores.run(dag_id)
    assert report.passed, report.reasons
    return [(one.task, one.ordinal, one.role, one.operation, one.target) for one in report.runs[0].writes]


def test_objects_are_recorded_by_bucket_and_key(stores):
    bucket = stores.services["s3"].physical("lake")
    assert recorded(stores, "objects") == [
        ("put", 1, "s3", "PUT", f"{bucket}/a b.txt"),
        ("put", 2, "s3", "PUT", f"{bucket}/b.txt"),
    ]


def test_services_that_a_task_spoke_with_are_recorded_read_or_written(stores):
    with faults.recorded():
        report = stores.run("copies")
    assert report.passed, report.reasons
    assert report.runs[0].used == {"count": ("postgres",), "think": (), "copy": ("postgres", "s3")}


def test_transactions_that_changed_something_are_recorded_with_their_tables(stores):
    database = stores.services["postgres"].physical("shop")
    assert recorded(stores, "rows") == [
        ("load", 1, "postgres", "COMMIT", f"{database}: CREATE orders"),
        ("load", 2, "postgres", "COMMIT", f"{database}: INSERT orders"),
    ]


def test_acknowledged_messages_are_recorded_with_their_topic(stores):
    topic = stores.services["kafka"].physical("orders")
    assert recorded(stores, "events") == [
        ("send", 1, "kafka", "PRODUCE", topic),
        ("send", 2, "kafka", "PRODUCE", topic),
    ]


def test_delta_table_is_recorded_by_its_files_though_no_python_client_writes_them(stores):
    writes = recorded(stores, "lines")
    assert [operation for _, _, _, operation, _ in writes] == ["PUT", "PUT"]
    assert writes[0][-1].endswith(".parquet")
    assert writes[1][-1].endswith("/_delta_log/00000000000000000000.json")


@pytest.mark.parametrize(
    ("statements", "written"),
    [
        (["SELECT 1", "SET search_path = public", "SHOW search_path"], []),
        (["INSERT INTO t VALUES (1)"], ["INSERT t"]),
        (["INSERT INTO t SELECT 1 WHERE false", "UPDATE t SET n = 2 WHERE false"], []),
        (["BEGIN", "INSERT INTO t VALUES (1)", "DELETE FROM t", "COMMIT"], ["INSERT t, DELETE t"]),
        (["BEGIN", "INSERT INTO t VALUES (1)", "ROLLBACK"], []),
        (["BEGIN", "INSERT INTO t VALUES (1)", "SELECT 1 / 0", "COMMIT"], []),
        (["BEGIN", "INSERT INTO t VALUES (1)", "SAVEPOINT s", "SELECT 1 / 0", "ROLLBACK TO s", "COMMIT"], ["INSERT t"]),
        (["CREATE TABLE u AS SELECT 1 AS n", "DROP TABLE u"], ["CREATE u", "DROP u"]),
        (["TRUNCATE t"], ["TRUNCATE t"]),
        (["DO $$ BEGIN PERFORM 1; END $$"], ["DO"]),
    ],
    ids=lambda value: "; ".join(value) or "nothing",
)
def test_only_committed_changes_count(stores, statements, written):
    with faults.line(stores.services["postgres"]) as line:
        line.service.client_for("shop").execute("CREATE TABLE t (n int)")
        with line.recorded() as seen:
            for statement in statements:
                with suppress(psycopg.errors.DivisionByZero):
                    line.service.client_for("shop").execute(statement)
    assert [write.target.partition(": ")[2] for write in seen[0].writes] == written


def test_parts_of_an_upload_count_when_it_is_completed(stores):
    with faults.line(stores.services["s3"]) as line, line.recorded() as seen:
        client, target = line.service.client, {"Bucket": line.service.physical("lake"), "Key": "large"}
        upload = client.create_multipart_upload(**target)["UploadId"]
        part = client.upload_part(**target, UploadId=upload, PartNumber=1, Body=b"x")
        parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
        client.complete_multipart_upload(**target, UploadId=upload, MultipartUpload=parts)
        client.delete_objects(Bucket=target["Bucket"], Delete={"Objects": [{"Key": "large"}]})
    assert [(write.operation, write.target) for write in seen[0].writes] == [
        ("POST", f"{target['Bucket']}/large"),
        ("DELETE", target["Bucket"]),
    ]


def test_transactions_and_offsets_of_a_broker_count_when_they_are_committed(stores):
    kafka = stores.services["kafka"]
    with faults.line(kafka) as line, line.recorded() as seen:
        producer = line.service.client.producer(transactional_id="tx-1")
        producer.init_transactions(20)
        for end in (producer.abort_transaction, producer.commit_transaction):
            producer.begin_transaction()
            producer.produce(kafka.physical("orders"), b"x")
            producer.flush(20)
            end(20)
        consumer = line.service.client.consumer("loader", enable_auto_commit=False)
        consumer.commit(offsets=[TopicPartition(kafka.physical("orders"), 0, 1)], asynchronous=False)
        consumer.close()
    assert [(write.operation, write.target) for write in seen[0].writes] == [
        ("TRANSACTION", "tx-1"),
        ("OFFSETS", f"{kafka.slice.prefix}.loader"),
    ]


KILLED = {
    "objects": ("put", 1, ["2 objects"]),
    "rows": ("load", 2, ["written", "rolled back"]),
    "events": ("send", 1, ["one", "two"]),
    "lines": ("append", 1, []),
}


@pytest.mark.parametrize("dag_id", KILLED)
def test_task_that_is_killed_at_a_write_has_made_that_write_and_no_other(stores, marks, dag_id):
    task, write, _ = KILLED[dag_id]
    with faults.kill(task, at_write=write):
        report = stores.run(dag_id)
    first, *later = report.runs[0].task(task).tries
    assert first.state == "failed"
    assert first.error.startswith("killed by SIGKILL")
    assert all(one.state == "success" for one in later)
    assert [str(one.fault) for one in report.runs[0].fired] == [f"{task} is killed after its write {write}"]
    assert [one.ordinal for one in report.runs[0].writes if one.attempt == 1] == list(range(1, write + 1))


def test_killed_task_left_only_what_was_acknowledged(stores):
    with faults.kill("put", at_write=1, attempt=None):
        stores.run("objects")
    assert stores.keys == ["a b.txt"]


def test_killed_delta_writer_left_files_and_no_commit(stores):
    with faults.kill("append", at_write=1):
        stores.run("lines")
    assert [key.endswith(".parquet") for key in stores.keys] == [True]


@pytest.mark.parametrize("dag_id", KILLED)
def test_task_that_fails_at_a_write_gets_an_exception_there(stores, dag_id):
    task, write, _ = KILLED[dag_id]
    with faults.fail(task, at_write=write):
        report = stores.run(dag_id)
    first = report.runs[0].task(task).tries[0]
    assert (first.state, first.error) == ("failed", f"InjectedFault: {task} fails after its write {write}")


def test_task_that_fails_at_a_write_may_still_clean_up(stores, marks):
    with faults.fail("put", at_write=1, attempt=None):
        stores.run("objects")
    assert marks() == ["1 objects", "1 objects"]


def test_tries_count_their_writes_each_from_one(stores):
    with faults.recorded(), faults.fail("put", after=True):
        report = stores.run("objects")
    assert [(one.attempt, one.ordinal) for one in report.runs[0].writes] == [(1, 1), (1, 2), (2, 1), (2, 2)]
