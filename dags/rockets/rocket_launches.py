"""Pictures of rocket launches: download_launches >> get_pictures >> notify.

The run of a day asks the launch library for the launches of its data interval, not for what is upcoming at the moment,
so that a day can be run again and in any order. Everything that it writes is below the day's own prefix: runs of many
days at once share no path. A launch without a usable picture is noted in the manifest; when the hosts of the pictures
are down the task fails, and its retries have something to do.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Variable, dag, task

from jobs.common.intervals import day_of

DEFAULTS = {
    "owner": "rockets",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=10),
}


@task
def download_launches(
    data_interval_start: pendulum.DateTime | None = None, data_interval_end: pendulum.DateTime | None = None
) -> int:
    """Keep what the library says about the interval's launches."""
    import json

    from jobs.common.connections import s3_client
    from jobs.common.http import http_client
    from jobs.rockets.contract import launches_key
    from jobs.rockets.launches import launches_between

    day = day_of(data_interval_start)
    with http_client("launch_library") as client:
        launches = launches_between(client, data_interval_start, data_interval_end)
    content = json.dumps(launches).encode()
    s3_client("lake").put_object(Bucket=Variable.get("landing_bucket"), Key=launches_key(day), Body=content)
    return len(launches)


@task
def get_pictures(data_interval_start: pendulum.DateTime | None = None) -> dict:
    """Fetch the launches' pictures, and note which there are."""
    import json

    from jobs.common.connections import s3_client
    from jobs.rockets.contract import launches_key
    from jobs.rockets.pictures import fetch_all, picture_client, publish

    s3, bucket, day = s3_client("lake"), Variable.get("landing_bucket"), day_of(data_interval_start)
    launches = json.loads(s3.get_object(Bucket=bucket, Key=launches_key(day))["Body"].read())
    with picture_client() as client:
        pictures, problems = fetch_all(client, launches)
    return publish(s3, bucket, day, pictures, problems)


@task
def notify(data_interval_start: pendulum.DateTime | None = None) -> bool:
    """Tell by mail what there is to see, once, however often the day is run."""
    from jobs.common.connections import s3_client
    from jobs.common.mail import send_once
    from jobs.rockets.contract import notified_key
    from jobs.rockets.notice import notice

    s3, bucket, day = s3_client("lake"), Variable.get("landing_bucket"), day_of(data_interval_start)
    mail = notice(s3, bucket, day, to=Variable.get("operators_mail"))
    return mail is not None and send_once(mail, conn_id="mail", s3=s3, bucket=bucket, marker=notified_key(day))


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    # the days since the start are fetched as soon as the DAG is switched on
    catchup=True,
    max_active_runs=2,
    default_args=DEFAULTS,
    tags=["rockets", "http", "s3", "smtp"],
    doc_md=__doc__,
)
def rocket_launches():
    """Wire the tasks: `notify` has the default rule, so it never tells of pictures that were not fetched."""
    download_launches() >> get_pictures() >> notify()


rocket_launches()
