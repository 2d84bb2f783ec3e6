"""Part B: the services that are joined by RabbitMQ queues."""
