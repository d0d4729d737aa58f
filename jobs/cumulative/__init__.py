"""Everyone who was ever active, day by day: yesterday's state and what today adds."""
