from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from jobs.common.failing import final


def test_an_error_that_would_come_again_is_not_retried():
    with pytest.raises(AirflowFailException, match="3 rows are lost") as caught, final(LookupError):
        raise KeyError("3 rows are lost")
    assert isinstance(caught.value.__cause__, KeyError)


def test_another_error_is_left_as_it_is():
    with pytest.raises(OSError, match="no route"), final(LookupError):
        raise OSError("no route")
