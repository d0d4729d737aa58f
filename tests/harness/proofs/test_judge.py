from __future__ import annotations

import pytest

from harness.models.snapshot import Dataset
from harness.proofs.judge import _published
from harness.state import Snapshot


def objects(*names: str) -> Snapshot:
    return Snapshot(datasets=tuple(Dataset(service="s3", name=name, kind="object", rows=1) for name in names))


@pytest.mark.parametrize(
    ("left", "published"),
    [
        (("raw/1/data.csv", "raw/2/data.csv"), ("raw/2/data.csv",)),
        (("raw/1/_SUCCESS",), ("raw/1/_SUCCESS",)),  # a promise that is not kept is a half
        (("raw/1/data.csv", "raw/1/_SUCCESS"), ("raw/1/data.csv", "raw/1/_SUCCESS")),
    ],
)
def test_a_folder_without_its_marker_is_not_there_for_its_readers(
    left: tuple[str, ...], published: tuple[str, ...]
) -> None:
    whole = objects("raw/1/data.csv", "raw/1/_SUCCESS")

    assert _published(objects(*left), [whole]) == objects(*published)
