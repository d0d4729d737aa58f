"""Pictures of rocket launches: what the tasks of `rocket_launches` do."""
