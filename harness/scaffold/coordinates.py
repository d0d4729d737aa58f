"""What a variable of the process environment is a part of, as its name tells: `MINIO_ENDPOINT`, `DWH_PG_PASSWORD`."""

from __future__ import annotations

import re

GIVEN = frozenset((
    *("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "KAFKA_BOOTSTRAP_SERVERS"),
))  # fmt: skip
"""Variables by which the field's own tools find a service: every service sets its own."""

_ROLES = (
    (r"(^|_)(S3|MINIO|AWS|R2|GARAGE|OBJECT_STORE)_", "s3"),
    (r"(^|_)(PG|POSTGRES|POSTGRESQL|DWH|WAREHOUSE|DB|DATABASE|SQLALCHEMY)_", "postgres"),
    (r"(^|_)(KAFKA|REDPANDA)_", "kafka"),
)
_SECRETS = ((r"SECRET(_ACCESS)?(_KEY)?|PASSWORD|PASS|PWD", "password"), (r"ACCESS_KEY(_ID)?|USER(NAME)?|LOGIN", "user"))
_PARTS = {
    "s3": (
        *_SECRETS,
        (r"ENDPOINT(_URL)?|URL|URI", "url"),
        (r"HOST", "host"),
        (r"PORT", "port"),
        (r"BUCKET(_NAME)?", "bucket"),
    ),
    "postgres": (
        *_SECRETS,
        *((r"URL|URI|DSN|CONN(ECTION)?(_STRING)?", "url"), (r"HOST(NAME)?", "host"), (r"PORT", "port")),
        (r"DB|DATABASE|DBNAME|NAME", "database"),
    ),
    "kafka": ((r"BOOTSTRAP(_SERVERS?)?|BROKERS?|SERVERS?|URL", "address"), (r"TOPIC(_NAME)?", "topic")),
}


def part_of(name: str) -> tuple[str, str] | None:
    """Return (role, part or kind of name) of what a variable seems to hold; None when its name does not tell."""
    for pattern, role in _ROLES:
        if re.search(pattern, name.upper()):
            for ending, part in _PARTS[role]:
                if re.search(f"_({ending})$", name.upper()):
                    return role, part
    return None
