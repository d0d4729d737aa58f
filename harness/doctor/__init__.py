"""What works on this machine, what is missing, and how to get it: small checks, each with one finding."""

from harness.doctor.groups import GROUPS, diagnose
from harness.doctor.model import Finding, Status

__all__ = ["GROUPS", "Finding", "Status", "diagnose"]
