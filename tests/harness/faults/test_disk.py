"""A disk that is full."""

from __future__ import annotations

import errno

import pytest

from harness import faults
from harness.errors import ConfigError


@pytest.fixture
def disk():
    try:
        with faults.small_disk(64 * 1024) as folder:
            yield folder
    except ConfigError as error:
        pytest.skip(f"no small disk here: {error}")


def test_what_fits_is_kept(disk):
    (disk / "small").write_bytes(b"x" * 1000)
    assert (disk / "small").stat().st_size == 1000


def test_what_does_not_fit_fails_as_on_a_full_disk(disk):
    with pytest.raises(OSError, match="No space left") as caught:
        (disk / "large").write_bytes(b"x" * 1_000_000)
    assert caught.value.errno == errno.ENOSPC


def test_room_comes_back_with_the_file(disk):
    (disk / "one").write_bytes(b"x" * 50_000)
    (disk / "one").unlink()
    (disk / "two").write_bytes(b"x" * 50_000)
    assert (disk / "two").stat().st_size == 50_000


def test_nothing_is_left_after_the_block():
    try:
        with faults.small_disk(4096) as folder:
            pass
    except ConfigError as error:
        pytest.skip(f"no small disk here: {error}")
    assert not folder.exists()
