"""How a task fails when another try would end the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def final(*errors: type[Exception]) -> Iterator[None]:
    """Turn these errors into one that Airflow does not retry.

    Raises:
        AirflowFailException: one of the errors was raised in the block.
    """
    from airflow.sdk.exceptions import AirflowFailException

    try:
        yield
    except errors as error:
        raise AirflowFailException(str(error)) from error
