"""What stands around the pipelines: environment files, synthetic sources and the seeds that put their data in place."""
