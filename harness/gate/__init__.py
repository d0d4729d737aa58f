"""Decides whether a stage may be entered: what it requires, the evidence for it, and the verdict."""
