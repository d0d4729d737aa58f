from __future__ import annotations

import smtplib
from unittest import mock

import pytest
from airflow.providers.smtp.hooks.smtp import SmtpHook

from jobs.common.mail import Mail, send_once

MAIL = Mail(to="ops@example.org", subject="Red", body="a < b", about="d1")


class Objects:
    """A bucket in memory: as much of boto3's client as a marker needs."""

    class exceptions:
        class NoSuchKey(Exception):
            pass

    def __init__(self):
        self.held = {}

    def put_object(self, *, Bucket, Key, Body):
        self.held[Bucket, Key] = Body

    def get_object(self, *, Bucket, Key):
        if (Bucket, Key) not in self.held:
            raise self.exceptions.NoSuchKey
        return {"Body": mock.Mock(read=lambda: self.held[Bucket, Key])}


@pytest.fixture
def hook():
    """The hook of the smtp provider, with its own signatures and without a server."""
    with mock.patch("airflow.providers.smtp.hooks.smtp.SmtpHook", autospec=True) as made:
        made.return_value.__enter__.return_value = mock.create_autospec(SmtpHook, instance=True)
        yield made


@pytest.fixture
def sent(hook):
    return hook.return_value.__enter__.return_value.send_email_smtp


@pytest.fixture
def send():
    s3 = Objects()
    return lambda mail=MAIL: send_once(mail, conn_id="mail", s3=s3, bucket="lake", marker="told.json")


def test_a_mail_goes_through_the_connection_with_an_id_of_its_own(hook, sent, send):
    assert send() is True

    hook.assert_called_once_with(smtp_conn_id="mail")
    sent.assert_called_once_with(
        to="ops@example.org",
        subject="Red",
        html_content="<pre>a &lt; b</pre>",
        custom_headers={"Message-ID": f"<{MAIL.digest[:32]}@pipelines>"},
    )


def test_the_same_mail_is_sent_once(sent, send):
    assert [send(), send()] == [True, False]
    assert sent.call_count == 1


def test_the_same_words_about_another_thing_are_sent_again(sent, send):
    send()

    assert send(Mail(MAIL.to, MAIL.subject, MAIL.body, about="d2")) is True


def test_a_mail_that_was_refused_is_sent_by_the_next_try(sent, send):
    sent.side_effect = smtplib.SMTPDataError(451, b"later")
    with pytest.raises(smtplib.SMTPDataError):
        send()
    sent.side_effect = None

    assert send() is True


def test_a_call_that_the_hook_does_not_know_is_refused_by_its_mock(sent):
    with pytest.raises(TypeError, match="'to'"):
        sent(receiver="ops@example.org")
