"""What several pipelines share: sessions, streams, and the way to connections."""
