"""Assets between DAGs: who waits for which, the runs that events make, and events that an environment declares.

Bridges: the scheduler makes the runs of asset-scheduled DAGs in a private method, together with every run that a
timetable has due, which a run of the harness must not start. An author's
condition and the scheduler's are different classes with the same attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from airflow.assets.manager import AssetManager
from airflow.models.asset import AssetAliasModel, AssetDagRunQueue, AssetModel
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.serialization.definitions.assets import SerializedAsset
from airflow.timetables.simple import AssetTriggeredTimetable
from airflow.utils.session import create_session
from sqlalchemy import or_, select

Run = tuple[str, str]
"""Dag id and run id."""


@dataclass(frozen=True)
class Made:
    """A run that asset events made, and the run whose task told the last of them (None: an environment's)."""

    run: Run
    parent: Run | None


def waits_for(scheduled: Any) -> tuple[str, ...]:
    """Return the names of the assets whose events alone start a DAG (the scheduler's form); none for any other DAG."""
    timetable = scheduled.timetable
    if type(timetable) is not AssetTriggeredTimetable:
        return ()
    return tuple(dict.fromkeys(names[0] for names in written_names(timetable.asset_condition)))


def make_runs(runner: Any, session: Any) -> list[Made]:
    """Queue the runs for which all awaited events are there.

    Args:
        runner: the `SchedulerJobRunner` that decides.
        session: of the metadata database.
    """
    if session.scalar(select(AssetDagRunQueue.target_dag_id).limit(1)) is None:
        return []
    query, ready = DagModel.dags_needing_dagruns(session)
    models = [model for model in query.all() if model.dag_id in ready]
    before = set(session.scalars(select(DagRun.id)))
    runner._create_dag_runs_asset_triggered(dag_models=models, session=session)
    session.flush()
    made = session.scalars(select(DagRun).where(DagRun.id.not_in(before))).unique().all()
    return [Made((run.dag_id, run.run_id), _source(run)) for run in made]


def _source(run: Any) -> Run | None:
    told = [event for event in run.consumed_asset_events if event.source_run_id is not None]
    if not told:
        return None
    last = max(told, key=lambda event: (event.timestamp, event.id))
    return last.source_dag_id, last.source_run_id


def tell(events: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Record events that no task told.

    Args:
        events: name or URI of an asset, or name of an alias, and what the event says; an alias's event is one of an
            asset of the same name.
    """
    with create_session() as session:
        for name, extra in events:
            asset = session.scalar(select(AssetModel).where(or_(AssetModel.name == name, AssetModel.uri == name)))
            alias = session.scalar(select(AssetAliasModel.name).where(AssetAliasModel.name == name))
            if asset is None:
                new = SerializedAsset(name=name, uri=name, group="asset", extra={}, watchers=[])
                (asset,) = AssetManager.create_assets([new], session=session)
                session.flush()
            AssetManager.register_asset_change(
                asset=asset, extra=extra, source_alias_names=[alias] if alias else [], session=session
            )


def consumers(parsed: Iterator[Any], dag: Any) -> Iterator[str]:
    """Yield the ids of the DAGs that events of a DAG's tasks may start.

    Args:
        parsed: DAGs as their authors wrote them.
        dag: the DAG whose tasks have outlets.
    """
    from airflow.sdk import AssetAlias

    outlets = [outlet for task in dag.tasks for outlet in task.outlets]
    told = {name for outlet in outlets for names in written_names(outlet) for name in names}
    # which assets an alias stands for is known when its task has run
    open_ended = any(isinstance(outlet, AssetAlias) for outlet in outlets)
    for other in parsed:
        condition = getattr(other.timetable, "asset_condition", None)
        if condition is None or not outlets:
            continue
        awaited = {name for names in written_names(condition) for name in names}
        if open_ended or awaited & told:
            yield other.dag_id


def written_names(condition: Any) -> Iterator[tuple[str, ...]]:
    """Yield the names of each asset, alias or reference in a condition or outlet; first the one that people use."""
    parts = getattr(condition, "objects", None)
    if parts is not None:
        for part in parts:
            yield from written_names(part)
        return
    names = tuple(name for name in (getattr(condition, "name", None), getattr(condition, "uri", None)) if name)
    if names:
        yield tuple(dict.fromkeys(names))
