"""Measures the budgets side by side: ours and what it is compared with take turns in one run, on one machine."""
