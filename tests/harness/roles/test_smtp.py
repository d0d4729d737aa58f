from __future__ import annotations

import smtplib
from email.message import EmailMessage
from typing import Any

import pytest

from harness.environment.service import SmtpSpec
from harness.environment.spec import ConnectionSpec
from harness.errors import ConfigError, ServiceError
from harness.models.service import Endpoint
from harness.services.registry import bind
from harness.services.smtp import recipients, text


@pytest.fixture(scope="module")
def kind() -> str:
    return "smtp"


def mail(subject: str = "Report", body: str = "all is well", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "etl@example.org", "ops@example.org", subject
    for name, value in headers.items():
        message[name] = value
    message.set_content(body)
    return message


def test_what_was_sent_can_be_read_in_its_order(namespace: Any) -> None:
    for number in range(12):
        namespace.client.send_message(mail(f"Report {number}", "grüße\n.\nend"))

    found = namespace.messages()

    assert [one["Subject"] for one in found] == [f"Report {number}" for number in range(12)]
    assert text(found[0]) == "grüße\n.\nend\n"
    assert (found[0]["From"], recipients(found[0])) == ("etl@example.org", ["ops@example.org"])


def test_a_blind_copy_is_known_by_its_envelope(namespace: Any) -> None:
    namespace.client.send_message(mail(Bcc="audit@example.org"))

    (seen,) = namespace.messages(to="audit@example.org")

    assert seen["Bcc"] is None
    assert recipients(seen) == ["ops@example.org", "audit@example.org"]
    assert namespace.messages(to="nobody@example.org") == []


def test_airflows_hook_and_operator_send_through_the_connection(namespace: Any, airflow_connection: Any) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook
    from airflow.providers.smtp.operators.smtp import EmailOperator

    conn_id = airflow_connection(namespace.connection(ConnectionSpec(service="smtp")))
    with SmtpHook(conn_id) as hook:
        hook.send_email_smtp(to="ops@example.org", subject="by the hook", html_content="<b>1</b>")
    operator = EmailOperator(
        task_id="notify", to="ops@example.org", subject="by the operator", html_content="2", conn_id=conn_id
    )
    operator.execute({})

    assert [(one["Subject"], one["From"]) for one in namespace.messages()] == [
        ("by the hook", "airflow@example.org"),
        ("by the operator", "airflow@example.org"),
    ]


def test_the_sender_is_the_environments_unless_the_connection_says_otherwise(running: Any) -> None:
    service = bind("smtp", "smtp", SmtpSpec(sender="etl@example.org"), running.running.endpoint)

    assert service.connection(ConnectionSpec(service="smtp")).extra["from_email"] == "etl@example.org"
    own = ConnectionSpec(service="smtp", extra={"from_email": "me@example.org"})
    assert service.connection(own).extra["from_email"] == "me@example.org"


def test_namespaces_do_not_see_each_others_mail(running: Any, namespace: Any) -> None:
    other = running.again("ns2")
    namespace.client.send_message(mail())

    assert other.messages() == []
    assert len(namespace.messages()) == 1
    other.close()


def test_a_closed_namespace_is_refused_and_its_mail_is_gone(running: Any) -> None:
    closed = running.again("ns3")
    closed.client.send_message(mail())
    closed.close()

    with pytest.raises(smtplib.SMTPAuthenticationError):
        closed.client.noop()
    assert running.again("ns3").messages() == []


def test_nobody_sends_without_a_login(running: Any) -> None:
    endpoint = running.running.endpoint
    with smtplib.SMTP(endpoint.host, endpoint.port) as stranger, pytest.raises(smtplib.SMTPSenderRefused) as told:
        stranger.send_message(mail())

    assert told.value.smtp_code == 530


@pytest.mark.parametrize("answer", ["451 4.3.0 try again later", "550 5.1.1 no such user"])
def test_a_refusal_is_answered_as_often_as_asked_and_keeps_nothing(answer: str, namespace: Any) -> None:
    namespace.refuse(answer, times=2)
    for _ in range(2):
        with pytest.raises(smtplib.SMTPDataError) as told:
            namespace.client.send_message(mail("lost"))
        assert told.value.smtp_code == int(answer[:3])
    namespace.client.send_message(mail("kept"))

    assert [one["Subject"] for one in namespace.messages()] == ["kept"]


def test_an_answer_that_refuses_nothing_is_a_mistake(namespace: Any) -> None:
    with pytest.raises(ConfigError, match="250 OK"):
        namespace.refuse("250 OK")


def test_a_mail_is_a_change_of_its_recipients_mailbox(namespace: Any, changes: Any) -> None:
    with changes(namespace) as found:
        namespace.client.send_message(mail("first"))

    assert [(one.name, one.kind, one.added, one.removed) for one in found] == [("ops@example.org", "topic", 1, 0)]
    assert found[0].first_added == {
        "sender": "etl@example.org",
        "subject": "first",
        "body": "all is well\n",
        "attachments": "[]",
    }


def test_the_same_mail_of_another_day_has_the_same_fingerprint(running: Any, changes: Any) -> None:
    one, two = running.again("ns4"), running.again("ns5")
    one.client.send_message(mail(Date="Thu, 01 Jan 2026 00:00:00 +0000", **{"Message-ID": "<1@x>"}))
    two.client.send_message(mail(Date="Fri, 02 Jan 2026 00:00:00 +0000", **{"Message-ID": "<2@x>"}))

    assert one.snapshot() == two.snapshot()
    two.client.send_message(mail("else"))
    assert one.snapshot() != two.snapshot()
    left_out = {"ops@example.org": ["subject"]}
    assert [len(found.digests) for found in two.snapshot(left_out)] == [1]
    one.close()
    two.close()


def test_mail_on_a_server_of_others_cannot_be_read_and_is_told_so() -> None:
    endpoint = Endpoint(role="smtp", engine="external", host="mail.example.org", port=587, user="u", password="p")
    external = bind("smtp", "smtp", SmtpSpec(), endpoint)

    with pytest.raises(ServiceError, match="cannot be read"):
        external.messages()
    connection = external.connection(ConnectionSpec(service="smtp"))
    assert (connection.login, connection.extra["disable_tls"], connection.extra["disable_ssl"]) == ("u", False, True)
