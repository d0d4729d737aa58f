"""Synthetic upstream systems: deterministic, and able to state what a pipeline must make of them."""
