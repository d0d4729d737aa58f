"""The work of the pipelines that are made from a configuration: a topic to a raw table, and that to a curated one."""
