"""Write, audit, publish: what the tasks of `wap_events` do."""
