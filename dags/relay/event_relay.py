"""Events from one topic to another, each exactly once, or as a dead letter: relay >> replay >> audit.

What a batch becomes and that it was read are one Kafka transaction: wherever the relay is killed, a reader of committed
messages sees each event once. A record that is wrong, or that could not be handled in three attempts, becomes a dead
letter with its reason; nothing is dropped, and nothing blocks what comes after it. `replay` works the dead letters off
again, once their cause is repaired: it is skipped unless a run is started with `{"replay": true}`. `audit` accounts for
every record by its place in the input.

A run takes whatever is new in the topic, whichever day it belongs to: what is done is said by the offsets alone.
"""

from dataclasses import asdict
from datetime import timedelta
from functools import partial

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, TriggerRule, Variable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from jobs.relay.contract import Topics

DEFAULTS = {
    "owner": "events",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=10),
}


def topics() -> Topics:
    """Return this environment's names of the topics."""
    return Topics(*(Variable.get(name) for name in ("events_topic", "events_clean_topic", "events_dead_topic")))


def work_off(*, replay: bool) -> dict:
    """Relay new records, or dead letters, and return the counts."""
    from jobs.common.connections import kafka_config
    from jobs.common.http import http_client
    from jobs.relay.events import handle, user_of
    from jobs.relay.relay import relay as run

    with http_client("identities") as client:
        make = partial(handle, resolve=partial(user_of, client))
        return asdict(run(config=kafka_config("relay"), topics=topics(), handle=make, replay=replay))


@task
def relay() -> dict:
    """Work off what is new in the topic."""
    return work_off(replay=False)


@task
def replay(params: dict | None = None) -> dict:
    """Work off the dead letters, when the run asks for it."""
    if not (params or {}).get("replay"):
        raise AirflowSkipException('dead letters stay where they are; start a run with {"replay": true}')
    return work_off(replay=True)


# a replay that was not asked for is skipped; one that failed is not
@task(trigger_rule=TriggerRule.NONE_FAILED)
def audit() -> dict:
    """Fail, with the records, unless each is in exactly one place; another try would count the same."""
    from jobs.common.connections import kafka_config
    from jobs.common.failing import final
    from jobs.relay import audit as audits

    with final(audits.AuditFailed):
        return audits.audit(config=kafka_config("relay"), topics=topics())


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    # two at once would not corrupt anything: the second fences the first, which then fails
    max_active_runs=1,
    params={"replay": Param(False, type="boolean", description="work off the dead letters too")},
    default_args=DEFAULTS,
    tags=["kafka", "exactly-once", "dead-letters"],
    doc_md=__doc__,
)
def event_relay():
    """Wire the tasks."""
    relay() >> replay() >> audit()


event_relay()
