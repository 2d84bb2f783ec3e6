"""Part C: the services that are joined by Kafka topics; how they keep their promises is in docs/streaming.md."""
