"""Events from one topic to another, each exactly once; what cannot be relayed becomes a dead letter."""
