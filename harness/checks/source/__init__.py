"""What a DAG file says, without running it."""
