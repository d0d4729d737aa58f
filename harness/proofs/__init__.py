"""Dynamic properties of DAGs, decided by running them under re-runs, faults, shifted clocks and odd orders."""

from __future__ import annotations

from harness.models.proof import ProofEvent
from harness.proofs.decide import prove
from harness.proofs.registry import PROPERTIES
from harness.proofs.reproduce import replay

__all__ = ["PROPERTIES", "ProofEvent", "prove", "replay"]
