"""Orders from Kafka to the warehouse by way of bronze, silver and gold."""
