from __future__ import annotations

from datetime import date

import pytest
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk.exceptions import AirflowSensorTimeout

from environments.sources.promotions import VOLUMES, PromotionSource
from harness.unit import run_operator
from jobs.supermarket import ingest
from jobs.supermarket.contract import MARKER
from jobs.supermarket.ingest import complaint, read
from jobs.supermarket.sensors import DeliverySensor, is_complete

FOLDER = "supermarket2/2026-01-01/"
DELIVERIES = [
    ([], False),
    ([MARKER], False),
    (["data-01.csv"], False),
    (["data-01.csv", "data-02.csv", MARKER], True),
    (["data.csv", MARKER], True),
    (["notes.txt", MARKER], False),
]


def sensor(**options):
    prefix = "supermarket2/{{ ds }}/"
    return DeliverySensor(task_id="wait", bucket="landing", prefix=prefix, aws_conn_id="aws_default", **options)


def must_tell_complete_from_incomplete(tell):
    assert [bool(tell(names)) for names, _ in DELIVERIES] == [complete for _, complete in DELIVERIES]


def test_a_delivery_is_complete_when_the_marker_and_data_are_there():
    must_tell_complete_from_incomplete(is_complete)


@pytest.mark.parametrize(
    "trap",
    [
        lambda names: MARKER in names and (name for name in names if name.startswith("data")),
        lambda names: any(name.startswith("data") for name in names),
    ],
    ids=["a generator is always true", "the first file is enough"],
)
def test_a_condition_that_looks_right_takes_an_incomplete_delivery(trap):
    with pytest.raises(AssertionError):
        must_tell_complete_from_incomplete(trap)


@pytest.mark.parametrize(("names", "complete"), DELIVERIES)
def test_the_sensor_asks_for_the_keys_of_its_days_folder(mock_hook, task_context, names, complete):
    hook = mock_hook(S3Hook, conn_id="aws_default", list_keys=[FOLDER + name for name in names])
    operator = sensor(mode="reschedule", timeout=600)

    run = run_operator(operator, task_context(operator, "2026-01-01"))

    assert run.state == ("success" if complete else "up_for_reschedule")
    hook.list_keys.assert_called_once_with(bucket_name="landing", prefix=FOLDER)


def test_a_sensor_that_asks_for_another_folder_is_found_out(mock_hook, task_context):
    hook = mock_hook(S3Hook, conn_id="aws_default", list_keys=[])
    operator = sensor(mode="reschedule", timeout=600)
    run_operator(operator, task_context(operator, "2026-01-02"))

    with pytest.raises(AssertionError):
        hook.list_keys.assert_called_once_with(bucket_name="landing", prefix=FOLDER)


def test_an_error_of_the_storage_is_not_taken_for_an_empty_folder(mock_hook, task_context):
    mock_hook(S3Hook, conn_id="aws_default", list_keys=PermissionError("403"))
    operator = sensor(timeout=600)

    with pytest.raises(PermissionError, match="403"):
        run_operator(operator, task_context(operator, "2026-01-01"))


def test_a_sensor_gives_up_after_its_window(mock_hook, task_context):
    mock_hook(S3Hook, conn_id="aws_default", list_keys=[])
    operator = sensor(mode="poke", poke_interval=60, timeout=600)

    with pytest.raises(AirflowSensorTimeout):
        run_operator(operator, task_context(operator, "2026-01-01"))


@pytest.mark.parametrize(
    ("before", "promo", "reason"),
    [
        ("2.00", "1.99", None),
        ("2.00", "", "no_price"),
        ("2.00", "2.00", "not_cheaper"),
        ("2.00", "3.00", "not_cheaper"),
    ],
)
def test_each_defect_has_its_reason(before, promo, reason):
    assert complaint({"price_before": before, "price_promo": promo}) == reason


def test_the_marker_is_archived_when_all_files_are_there(mocker):
    delivered = {"landing": (MARKER, "data.csv"), "lake": ()}
    mocker.patch.object(ingest, "keys", lambda s3, bucket, prefix: [prefix + name for name in delivered[bucket]])
    s3 = mocker.Mock(spec=["copy_object", "delete_object"])

    ingest.copy_to_raw(s3, landing="landing", lake="lake", supermarket=1, day="2026-01-01")

    copied = [call.kwargs["Key"].rpartition("/")[2] for call in s3.copy_object.call_args_list]
    assert copied == ["data.csv", MARKER]


def test_a_correction_in_a_later_file_wins():
    header = b"supermarket_id,product_id,product_name,promo_type,price_before,price_promo,valid_from,valid_to\n"
    line = b'2,p-1,"Tea, green",bonus,2.00,%b,2026-01-01,2026-01-07\n'
    files = {"data-02.csv": header + line % b"1.49", "data-01.csv": header + line % b"1.50", MARKER: b""}

    assert read(files).promotions["p-1"][1:5] == ("Tea, green", "bonus", "2.00", "1.49")


@pytest.mark.parametrize("volume", ["dev", "test"])
def test_known_shares_of_a_delivery_are_defects(volume):
    n = VOLUMES[volume]
    batch = read(PromotionSource(products=n).delivery(2, date(2026, 1, 1)))

    reasons = [reason for _, _, reason in batch.rejects]
    assert (reasons.count("no_price"), reasons.count("not_cheaper")) == (n // 20, n // 50)
    assert len(batch.promotions) == n - n // 20 - n // 50
