"""The work of the sensor pipelines, without Airflow."""

import json

RAW = "s3://meter-raw"


def split(url):
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def average(client, day):
    bucket, key = split(f"{RAW}/readings/{day}.json")
    values = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    return sum(values) / len(values)


def archive(client, day):
    client.copy_object(
        Bucket="meter-archive", Key=f"{day}.json", CopySource={"Bucket": "meter-raw", "Key": f"readings/{day}.json"}
    )
