"""What the umbrella pipeline must make of a day, in exact fractions; it shares no code with the jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from environments.sources.umbrella import UmbrellaSource


@dataclass(frozen=True)
class Expected:
    """The outcome of one day.

    Args:
        demand: store to (units, revenue in euros, degrees Celsius, millimetres of rain).
        coefficients: intercept, per degree, per millimetre: the least squares fit of the units.
    """

    demand: dict[int, tuple[int, Decimal, Decimal, Decimal]]
    coefficients: tuple[float, float, float]


def expected(source: UmbrellaSource, day: date) -> Expected:
    """Return the outcome of a day on which stores were open."""
    weather = {
        said["city"]: (_celsius(said["temp_f"]), Decimal(str(said["rain_mm"])))
        for said in source.weather(day)
        if said["temp_f"] is not None
    }
    demand = {
        row.store: (row.units, Decimal(row.cents) / 100, *weather[row.city])
        for row in source.sales(day)
        if row.units is not None and row.city in weather
    }
    return Expected(demand, _fit([(row[0], row[2], row[3]) for row in demand.values()]))


def _celsius(fahrenheit: float) -> Decimal:
    tenths = Fraction(round(fahrenheit * 10))
    exact = (tenths / 10 - 32) * 5 / 9
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _fit(rows: list[tuple[int, Decimal, Decimal]]) -> tuple[float, float, float]:
    """Solve the normal equations without rounding, by Cramer's rule."""
    columns = [[Fraction(1), Fraction(temp), Fraction(rain)] for _, temp, rain in rows]
    left = [[sum((x[i] * x[j] for x in columns), Fraction(0)) for j in range(3)] for i in range(3)]
    pairs = list(zip(columns, rows, strict=True))
    right = [sum((x[i] * row[0] for x, row in pairs), Fraction(0)) for i in range(3)]
    whole = _determinant(left)
    first, second, third = (
        float(_determinant([[right[i] if j == k else left[i][j] for j in range(3)] for i in range(3)]) / whole)
        for k in range(3)
    )
    return first, second, third


def _determinant(m: list[list[Fraction]]) -> Fraction:
    (a, b, c), (d, e, f), (g, h, i) = m
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
