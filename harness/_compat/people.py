"""Tasks that wait for a person's answer: what they ask, and answers that are declared.

Bridges: a person answers through the API server, of which there is none here. Airflow 3.3 parks such a task without a
trigger (`awaiting_input`); before, its trigger polls for the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import handle_event_submit
from airflow.triggers.base import TriggerEvent
from airflow.utils.session import create_session
from sqlalchemy import select

PARKED = "awaiting_input"


class Answer(Protocol):
    """What a person would say."""

    @property
    def options(self) -> Sequence[str]: ...

    @property
    def params(self) -> dict[str, Any]: ...


AnswerOf = Callable[[str, str], Answer | None]
"""Returns the declared answer by DAG id and name of the task, with or without its map index."""


def answer_all(answer_of: AnswerOf) -> bool:
    """Give each task that asks its declared answer, where it has one that fits; return whether one was given."""
    given = False
    with create_session() as session:
        for ti, asked in _open(session):
            answer = _declared(ti, answer_of)
            if answer is None or _misfit(asked, answer):
                continue
            asked.chosen_options = list(answer.options or asked.defaults or asked.options[:1])
            asked.params_input = {**_defaults(asked), **answer.params}
            asked.responded_at = datetime.now(UTC)
            asked.responded_by = {"id": "harness", "name": "harness"}
            session.flush()
            if ti.state == PARKED:
                handle_event_submit(TriggerEvent(asked.as_resume_event_payload()), task_instance=ti, session=session)
            given = True
    return given


def unanswered(answer_of: AnswerOf) -> list[str]:
    """Say for each task that asks whom it waits for, and how to answer."""
    with create_session() as session:
        return [_in_words(ti, asked, _declared(ti, answer_of)) for ti, asked in _open(session)]


def _open(session: Any) -> list[tuple[Any, Any]]:
    query = (
        select(TaskInstance, HITLDetail)
        .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
        .where(TaskInstance.state.in_((PARKED, "deferred")), HITLDetail.responded_at.is_(None))
    )
    return [tuple(row) for row in session.execute(query).unique()]


def _declared(ti: Any, answer_of: AnswerOf) -> Answer | None:
    return answer_of(ti.dag_id, _name(ti)) or answer_of(ti.dag_id, ti.task_id)


def _name(ti: Any) -> str:
    return ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"


def _defaults(asked: Any) -> dict[str, Any]:
    """Return the params of a form as they stand in it before anybody has written."""
    params = (asked.params or {}).items()
    return {key: one["value"] if isinstance(one, dict) and "value" in one else one for key, one in params}


def _misfit(asked: Any, answer: Answer) -> str | None:
    options = ", ".join(asked.options)
    if not answer.options and asked.defaults is None and len(asked.options) > 1:
        return f"names none of its options ({options})"
    if wrong := [option for option in answer.options if option not in asked.options]:
        return f"names {', '.join(wrong)}, which is none of its options ({options})"
    if len(answer.options) > 1 and not asked.multiple:
        return f"names {len(answer.options)} options, and it takes one of {options}"
    if unknown := sorted(answer.params.keys() - (asked.params or {}).keys()):
        return f"has the params {', '.join(unknown)}, which its form has not"
    return None


def _in_words(ti: Any, asked: Any, answer: Answer | None) -> str:
    name = _name(ti)
    where = f"dags.{ti.dag_id}.answers.{name}"
    question = f"{name} of {ti.run_id} waits for a person: {asked.subject!r} (options {', '.join(asked.options)})"
    if answer is not None and (misfit := _misfit(asked, answer)):
        return f"{question}; {where} {misfit}"
    return f"{question}; declare {where}: {{options: [{asked.options[0]}]}}, or say --answer {name}={asked.options[0]}"
