"""Plain data that layers hand to each other: frozen, and the same in Python, JSON and HTML."""
