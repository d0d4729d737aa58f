"""Test harness and local emulation for Airflow pipelines: real services, verdicts, proofs, and a release gate."""

from __future__ import annotations
