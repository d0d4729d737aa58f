from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

import httpx
import pytest

from jobs.relay.audit import Census, complaints_about
from jobs.relay.contract import SOURCE_HEADER, InvalidRecord, ServiceAway, TemporaryError, Topics
from jobs.relay.events import handle, user_of
from jobs.relay.letters import Letter
from jobs.relay.relay import attempt, settle
from tests.unit.relay.test_transactions import message

TOPICS = Topics("in", "out", "dead")
EVENT = {
    "event_id": "e-1",
    "user_id": "u1",
    "session_id": "s-u1-0",
    "event_type": "purchase",
    "revenue": "12.50",
    "timestamp": "2026-01-01T10:00:00Z",
}
#: milliseconds since 1970: the first instant of 2026
NEW_YEAR = 1_767_225_600_000


class Failing:
    """Handles a record after so many errors, and counts the attempts."""

    def __init__(self, error, times):
        self.error, self.times, self.seen = error, times, []

    def __call__(self, value, number):
        self.seen.append(number)
        if len(self.seen) <= self.times:
            raise self.error
        return b"relayed"


def tried(handler, *, before=0):
    return attempt(b"record", handler, tried=before, timestamp=NEW_YEAR, pause=0)


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_temporary_error_is_waited_out(times):
    handler = Failing(TemporaryError("overloaded"), times)

    assert tried(handler) == b"relayed"
    assert handler.seen == list(range(1, times + 2))


def test_a_record_that_fails_three_times_is_put_aside_with_its_attempts():
    handler = Failing(TemporaryError("overloaded"), 3)

    assert tried(handler) == Letter(b"record", "TemporaryError", "overloaded", 3, NEW_YEAR)
    assert tried(Failing(TemporaryError("overloaded"), 3), before=3).retry_count == 6


def test_an_invalid_record_is_tried_once():
    handler = Failing(InvalidRecord("not JSON"), 9)

    assert tried(handler) == Letter(b"record", "InvalidRecord", "not JSON", 1, NEW_YEAR)
    assert handler.seen == [1]


def test_an_error_that_nobody_thought_of_is_a_dead_letter_too():
    letter = tried(Failing(ZeroDivisionError("oh"), 9))

    assert (letter.error_type, letter.error_message, letter.context) == ("ZeroDivisionError", "oh", "unforeseen")


def test_an_outage_is_waited_out_and_then_ends_the_run():
    assert tried(Failing(ServiceAway("refused"), 2)) == b"relayed"
    with pytest.raises(ServiceAway):
        tried(Failing(ServiceAway("refused"), 3))


def test_an_interrupt_is_not_put_aside():
    with pytest.raises(KeyboardInterrupt):
        tried(Failing(KeyboardInterrupt(), 1))


def counting_from_nought(value, *, tried):
    """The version that forgets earlier attempts, so that a poisonous record goes round for ever."""
    return attempt(value, Failing(TemporaryError("overloaded"), 9), tried=0, timestamp=NEW_YEAR, pause=0)


def test_a_replay_goes_on_counting():
    must_go_on_counting(
        lambda value, tried: attempt(
            value, Failing(TemporaryError("overloaded"), 9), tried=tried, timestamp=NEW_YEAR, pause=0
        )
    )
    with pytest.raises(AssertionError):
        must_go_on_counting(counting_from_nought)


def must_go_on_counting(version):
    count = 0
    for made in (3, 6, 9):
        count = version(b"record", tried=count).retry_count
        assert count == made


@pytest.mark.parametrize("original", [b'{"a": 1}', b"\xff\xfe{", b"", "é".encode()])
def test_a_letter_keeps_the_record_whatever_its_bytes_are(original):
    letter = Letter(original, "InvalidRecord", "not JSON", 1, NEW_YEAR)

    assert Letter.from_json(letter.to_json()) == letter


def test_the_instants_of_a_letter_have_a_zone():
    content = json.loads(Letter(b"", "InvalidRecord", "empty", 1, NEW_YEAR).to_json())

    assert datetime.fromisoformat(content["timestamp"]) == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("headers", [None, [], [("line", b"7"), ("trace", None)]])
def test_a_record_keeps_its_headers_and_says_where_it_came_from(headers):
    out = settle(message(offset=7, partition=2, headers=headers), Failing(None, 0), TOPICS, replay=False)

    assert out.headers == [*(headers or []), (SOURCE_HEADER, b"2/7")]
    assert (out.topic, out.key, out.value, out.timestamp) == ("out", b"key", b"relayed", NEW_YEAR)


def test_a_letter_that_is_replayed_keeps_the_place_of_its_record():
    letter = Letter(b"record", "TemporaryError", "overloaded", 3, 5)
    out = settle(
        message(letter.to_json(), offset=99, headers=[(SOURCE_HEADER, b"2/7")]), Failing(None, 0), TOPICS, replay=True
    )

    assert (out.topic, out.headers, out.timestamp) == ("out", [(SOURCE_HEADER, b"2/7")], 5)


def test_an_event_is_relayed_with_its_user_and_cents():
    relayed = json.loads(handle(json.dumps(EVENT).encode(), 1, resolve=nobody))
    resolved = json.loads(handle(json.dumps(EVENT | {"user_id": None}).encode(), 2, resolve=lambda s, a: f"{s}/{a}"))

    assert (relayed["user_id"], relayed["revenue_cents"]) == ("u1", 1250)
    assert resolved["user_id"] == "s-u1-0/2"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"revenue": "-1.00"}, "below zero"),
        ({"revenue": "NaN"}, "below zero"),
        ({"revenue": "much"}, "no number"),
        ({"revenue": None}, "no number"),
        ({"timestamp": "2026-01-01T10:00:00"}, "without a zone"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"event_id": 7}, "no text: event_id"),
        ({"user_id": 7}, "neither text nor null"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(change, reason):
    with pytest.raises(InvalidRecord, match=reason):
        handle(json.dumps(EVENT | change).encode(), 1, resolve=nobody)


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b"[]", b"null", b"7"])
def test_what_is_no_json_object_is_refused(value):
    with pytest.raises(InvalidRecord):
        handle(value, 1, resolve=nobody)


@pytest.mark.parametrize(("status", "error"), [(503, TemporaryError), (429, TemporaryError), (404, InvalidRecord)])
def test_an_answer_of_the_identity_service_is_told_apart(mocker, status, error):
    mocker.patch.object(httpx.Client, "get", autospec=True, return_value=httpx.Response(status))

    with httpx.Client() as client, pytest.raises(error):
        user_of(client, "s", 1)


def test_an_identity_service_that_is_away_is_told_apart_from_one_that_is_busy(mocker):
    get = mocker.patch.object(httpx.Client, "get", autospec=True, side_effect=httpx.ConnectError("refused"))

    with httpx.Client() as client, pytest.raises(ServiceAway, match="refused"):
        user_of(client, "s", 2)
    assert get.call_args.args[1:] == ("/sessions/s",)
    assert get.call_args.kwargs == {"headers": {"attempt": "2"}}


def test_the_audit_finds_what_is_lost_doubled_or_from_nowhere():
    census = Census(frozenset({"0/1", "0/2", "0/3"}), 0, Counter(["0/1", "0/1", "9/9"]), Counter(["0/3"]))

    assert list(complaints_about(census)) == [
        "1 records were worked off and are nowhere: 0/2",
        "1 records are there more than once: 0/1",
        "1 records come from what was not worked off: 9/9",
    ]


def test_the_audit_has_nothing_to_say_when_each_record_is_in_one_place():
    census = Census(frozenset({"0/1", "0/2"}), 5, Counter(["0/1"]), Counter(["0/2"]))

    assert list(complaints_about(census)) == []


def nobody(session_id, number):
    raise AssertionError(f"nobody was to ask for {session_id}")
