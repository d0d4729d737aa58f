"""The work of the promotions pipelines: waiting for deliveries, archiving, processing and summing them up."""
