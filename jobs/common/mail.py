"""Mail that a pipeline sends: through a connection, under an id that a receiver can tell a repetition by."""

from __future__ import annotations


def send_mail(conn_id: str, *, to: str, subject: str, body: str, message_id: str) -> None:
    """Send one mail; the sender is the connection's.

    Args:
        conn_id: an `smtp` connection.
        to: one address.
        subject: one line.
        body: plain text.
        message_id: made from what the mail is about: whoever gets it twice, after a crash, can tell.

    Raises:
        smtplib.SMTPException: the server refused it.
    """
    from html import escape

    from airflow.providers.smtp.hooks.smtp import SmtpHook

    with SmtpHook(smtp_conn_id=conn_id) as hook:
        hook.send_email_smtp(
            to=to,
            subject=subject,
            html_content=f"<pre>{escape(body)}</pre>",
            custom_headers={"Message-ID": f"<{message_id}@pipelines>"},
        )
