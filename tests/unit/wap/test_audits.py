from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from jobs.wap.audits import AUDITS, Agreed

DAY = date(2026, 1, 1)
AGREED = Agreed(DAY, low=3, high=5, users=["u1", "u2"])
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def event(number=1, **fields):
    return {
        "event_id": f"e-{number}",
        "user_id": "u1",
        "session_id": "s",
        "event_type": "view",
        "revenue": Decimal("0.25"),
        "timestamp": NOON,
        "event_date": DAY,
    } | fields


SOUND = [event(number) for number in range(4)]


def findings(rows, agreed=AGREED):
    table = pa.Table.from_pylist(rows, schema=pa.Table.from_pylist(SOUND).schema)
    return {name: finding for name, audit in AUDITS.items() if (finding := audit(table, agreed))}


def test_a_sound_day_passes_every_audit():
    assert findings(SOUND) == {}


@pytest.mark.parametrize(
    ("rows", "audit", "finding"),
    [
        pytest.param(SOUND[:2], "row_count", "2 rows, agreed are 3 to 5", id="too few rows"),
        pytest.param(SOUND + [event(n) for n in (7, 8)], "row_count", "6 rows, agreed are 3 to 5", id="too many rows"),
        pytest.param(
            [*SOUND, event(3, revenue=Decimal("0.75"))], "unique_key", "1 event ids twice: e-3", id="two versions"
        ),
        pytest.param([*SOUND, event(9, session_id=None)], "no_nulls", "nulls: session_id 1", id="no session"),
        pytest.param([*SOUND, event(9, event_type=None)], "no_nulls", "nulls: event_type 1", id="no type"),
        pytest.param([*SOUND, event(9, event_type="swipe")], "allowed_values", "1 types: swipe", id="unknown type"),
        pytest.param(
            [*SOUND, event(9, timestamp=NOON + timedelta(days=1))],
            "allowed_values",
            "1 other days: 2026-01-02",
            id="an event of tomorrow",
        ),
        pytest.param([*SOUND, event(9, user_id="u3")], "references", "1 unknown users: u3", id="unknown user"),
    ],
)
def test_one_mutation_turns_one_audit_red_and_no_other(rows, audit, finding):
    assert findings(rows) == {audit: finding}


def test_an_empty_day_is_refused_by_the_row_count_alone():
    assert findings([]) == {"row_count": "0 rows, agreed are 3 to 5"}


def test_an_empty_day_would_pass_every_audit_if_no_row_were_enough():
    with pytest.raises(AssertionError):
        assert findings([], Agreed(DAY, low=0, high=5, users=["u1"]))


def test_a_finding_names_the_first_offenders_and_counts_the_others():
    rows = [event(number, user_id=f"x{number}") for number in range(5)]

    assert findings(rows) == {"references": "5 unknown users: x0, x1, x2 and 2 more"}
