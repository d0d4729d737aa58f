"""Four supermarkets' daily promotions, as the files that each drops on the shared storage; pure functions of the date.

Supermarkets 1 and 3 send one file, 2 and 4 several; `_SUCCESS` comes last, when all files are there. Of the n products
that a supermarket promotes on a day, known shares are defects:

=====================  =======================================================  =====
what                   which rows `i`                                           share
=====================  =======================================================  =====
sent again, corrected  i % 20 == 11: at the end, one cent cheaper; that counts  n/20
no price               i % 20 == 17: the promotion's price is empty             n/20
dearer than before     i % 50 == 33: the two prices stand in the wrong order    n/50
=====================  =======================================================  =====
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

#: promotions of each supermarket on a day
VOLUMES = {"dev": 100, "test": 2_000, "acc": 100_000}
SUPERMARKETS = (1, 2, 3, 4)
MARKER = "_SUCCESS"

_HEADER = "supermarket_id,product_id,product_name,promo_type,price_before,price_promo,valid_from,valid_to"
_TYPES = ("bonus", "two for one", "weekend")


@dataclass(frozen=True)
class PromotionSource:
    """The supermarkets. Args: seed: another seed is another country; products: promoted by each on a day."""

    seed: int = 42
    products: int = VOLUMES["dev"]

    def delivery(self, supermarket: int, day: date) -> dict[str, bytes]:
        """Return what a supermarket delivers: file name to content, the marker last."""
        lines = list(self._lines(supermarket, day))
        parts = 1 if supermarket % 2 else 3
        size = -(-len(lines) // parts)
        chunks = [lines[start : start + size] for start in range(0, len(lines), size)]
        names = ["data.csv"] if parts == 1 else [f"data-{number:02d}.csv" for number in range(1, parts + 1)]
        files = {name: "\n".join([_HEADER, *chunk, ""]).encode() for name, chunk in zip(names, chunks, strict=True)}
        return files | {MARKER: b""}

    def _lines(self, supermarket: int, day: date) -> Iterator[str]:
        again = []
        for i in range(self.products):
            before = 100 + self._draw(supermarket, i) % 2_000
            promo = before - before * (5 + self._draw(supermarket, day, i) % 46) // 100
            if i % 50 == 33:
                before, promo = promo, before
            yield _line(supermarket, i, day, before, None if i % 20 == 17 else promo)
            if i % 20 == 11:
                again.append(_line(supermarket, i, day, before, promo - 1))
        yield from again

    def _draw(self, *what: object) -> int:
        return int.from_bytes(
            hashlib.blake2b(repr((self.seed, *map(str, what))).encode(), digest_size=8).digest(), "big"
        )


def _line(supermarket: int, product: int, day: date, before: int, promo: int | None) -> str:
    name, kind, last = f'"Brand {product}, large"', _TYPES[product % len(_TYPES)], day + timedelta(days=6)
    price = "" if promo is None else f"{promo / 100:.2f}"
    return f"{supermarket},p-{product:05d},{name},{kind},{before / 100:.2f},{price},{day},{last}"
