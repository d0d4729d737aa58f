"""What happens to a day that an audit refused: its rows are set aside, and somebody is told why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from jobs.common.mail import Mail
from jobs.wap.contract import Layout
from jobs.wap.tables import of_day, open_table


def set_aside(layout: Layout, storage: Mapping[str, str], *, day: date, version: int) -> int:
    """Put the refused rows in the place of what quarantine holds for the day, and return how many they are."""
    from deltalake import write_deltalake

    rows = of_day(open_table(layout.staging, storage, version), day)
    write_deltalake(
        layout.quarantine.replace("s3a://", "s3://", 1),
        rows,
        mode="overwrite",
        partition_by=["event_date"],
        predicate=f"event_date = '{day.isoformat()}'",
        storage_options=dict(storage),
    )
    return rows.num_rows


def complaint(day: date, rows: int, findings: Mapping[str, str], *, to: str) -> Mail:
    """Return the mail that says which audits refused the day, and why."""
    lines = [f"{rows} rows are in quarantine; what is published for the day is unchanged.", ""]
    lines += [f"{audit}: {finding}" for audit, finding in sorted(findings.items())]
    return Mail(to=to, subject=f"Events of {day} are not published", body="\n".join(lines))
