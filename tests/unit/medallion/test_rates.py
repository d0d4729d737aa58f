from __future__ import annotations

from decimal import Decimal

import pytest

from environments.sources.orders import RATES
from jobs.medallion.contract import CURRENCIES
from jobs.medallion.rates import judge


def with_rate(currency: str, *rates: Decimal | None) -> list[tuple[str, Decimal | None]]:
    others = [(name, rate) for name, rate in RATES.items() if name != currency]
    return [*others, *((currency, rate) for rate in rates)]


def test_the_shop_and_the_contract_agree_on_the_currencies():
    assert set(RATES) == set(CURRENCIES)


def test_a_sound_table_has_no_problem_and_all_rates():
    rates = judge(list(RATES.items()))

    assert not rates.problems
    assert rates.usable == RATES


@pytest.mark.parametrize(
    ("currency", "values", "problem"),
    [
        pytest.param("USD", [], "no rate", id="missing"),
        pytest.param("USD", [None], "rate NULL", id="null"),
        pytest.param("USD", [Decimal("0")], "rate 0", id="zero"),
        pytest.param("USD", [Decimal("-0.92")], "rate -0.92", id="negative"),
        pytest.param("USD", [Decimal("NaN")], "rate NaN", id="not a number"),
        pytest.param("USD", [Decimal("Infinity")], "rate Infinity", id="infinite"),
        pytest.param("USD", [Decimal("1e-9")], "rate 0.000000001", id="rounds to zero"),
        pytest.param("USD", [Decimal("1e30")], f"rate 1{'0' * 30}", id="beyond all digits"),
        pytest.param("USD", [Decimal("0.92"), Decimal("0.92")], "2 rates", id="twice"),
        pytest.param("EUR", [Decimal("1.01")], "rate 1.01", id="euro that is not one"),
    ],
)
def test_a_broken_rate_is_named_and_not_used(currency, values, problem):
    rates = judge(with_rate(currency, *values))

    assert rates.problems == {currency: problem}
    assert set(rates.usable) == set(CURRENCIES) - {currency}


def test_a_rate_for_a_currency_that_the_shop_never_agreed_on_is_not_used():
    assert "XXX" not in judge([*RATES.items(), ("XXX", Decimal(2))]).usable
