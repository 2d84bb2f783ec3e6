"""Part C: the services that are joined by Kafka topics."""
