"""Mail that a pipeline sends: once about one thing, however often its task is run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from html import escape
from typing import Any


@dataclass(frozen=True)
class Mail:
    """One mail.

    Args:
        to: one address.
        subject: one line.
        body: plain text.
        about: what it tells of, such as the digest of a report: another one is told again under the same words.
    """

    to: str
    subject: str
    body: str
    about: str = ""

    @property
    def digest(self) -> str:
        """Return what tells two mails apart."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def send_once(mail: Mail, *, conn_id: str, s3: Any, bucket: str, marker: str) -> bool:
    """Send a mail unless the marker says that this very mail was sent, and return whether it was sent now.

    A mail cannot be taken back, and sending it and noting that it was sent are two steps. A crash between them sends it
    twice, under one id by which the receiver can tell; the other order would lose it.

    Args:
        mail: what to send.
        conn_id: an `smtp` connection; the sender is the connection's.
        s3: a boto3 client.
        bucket: of the marker.
        marker: key of an object that holds which mail was sent last.

    Raises:
        smtplib.SMTPException: the server refused it.
    """
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    if _sent(s3, bucket, marker) == mail.digest:
        return False
    with SmtpHook(smtp_conn_id=conn_id) as hook:
        hook.send_email_smtp(
            to=mail.to,
            subject=mail.subject,
            html_content=f"<pre>{escape(mail.body)}</pre>",
            custom_headers={"Message-ID": f"<{mail.digest[:32]}@pipelines>"},
        )
    s3.put_object(Bucket=bucket, Key=marker, Body=json.dumps({"sent": mail.digest}).encode())
    return True


def _sent(s3: Any, bucket: str, marker: str) -> str | None:
    try:
        found = s3.get_object(Bucket=bucket, Key=marker)
    except s3.exceptions.NoSuchKey:
        return None
    sent: str | None = json.loads(found["Body"].read()).get("sent")
    return sent
