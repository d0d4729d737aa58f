"""The fourteen properties: what each is called, what it says, and which claims decide it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.models.proof import Claim
    from harness.proofs.lab import Lab

Claims = Callable[["Lab"], Iterator["Claim"]]

#: in the order in which they are decided: what refutes most, for the least, comes first
PROPERTIES = (
    "rerun",
    "masked",
    "order",
    "empty",
    "atomic",
    "resume",
    "isolation",
    "backfill",
    "concurrent",
    "secrets",
    "deadline",
    "outage",
    "clock",
    "sequence",
)


#: seconds for a proof that makes a dozen runs, each of some Spark jobs
DEADLINE = 1800.0


class Undecidable(Exception):
    """This property cannot be decided for this DAG, here; the text says why."""


@dataclass(frozen=True)
class Proof:
    """One property and the claims that decide it.

    Args:
        id: what the environment and the command line call it.
        says: the property in a sentence.
        claims: yields them, cheapest first; asks the lab for what it must know.
        deadline: seconds after which it is left undecided.
    """

    id: str
    says: str
    claims: Claims
    deadline: float = DEADLINE


def proof(name: str, says: str, *, deadline: float = DEADLINE) -> Callable[[Claims], Proof]:
    """Make a proof of a generator of claims; it is called `claims`, in a module of the property's name."""

    def made(claims: Claims) -> Proof:
        return Proof(name, says, claims, deadline)

    return made


def find(name: str) -> Proof:
    """Return the proof of a property.

    Raises:
        ConfigError: there is no such property; with the nearest names.
    """
    if name not in PROPERTIES:
        import difflib

        near = difflib.get_close_matches(name, PROPERTIES, 3)
        raise ConfigError(f"no property {name!r}", hint=f"did you mean {', '.join(near or PROPERTIES)}?")
    module = importlib.import_module(f"harness.proofs.{name}")
    found: Proof = module.claims
    return found
