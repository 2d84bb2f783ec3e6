"""How we configure a broker that we start, and what of it is recorded with a verdict, for all providers."""

import resource
from collections.abc import Mapping

RABBITMQ_IMAGE = "rabbitmq:4-management"
KAFKA_IMAGE = "apache/kafka:4.3.1"

RABBITMQ: Mapping[str, str] = {
    "loopback_users": "none",  # in a container, the host is not the loopback
    "consumer_timeout": "1800000",  # ms: the default; it ends a consumer that holds a delivery for longer
    "vm_memory_high_watermark.relative": "0.6",
    "disk_free_limit.absolute": "50MB",  # a test broker need not stop publishers on a full laptop
    # We read no statistics, and many queues make them dear.
    "collect_statistics_interval": "30000",  # ms
    "management_agent.disable_metrics_collector": "true",
}

KAFKA: Mapping[str, str] = {
    # one partition each: the first group and the first transaction do not wait for fifty logs to be made
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # a subject may ask for a session time-out as short as it likes
    "group.min.session.timeout.ms": "100",
    "group.consumer.min.session.timeout.ms": "100",
    "group.consumer.min.heartbeat.interval.ms": "50",
    # or the restarted member of a group of the newer protocol (KIP-848) waits 5 s for its first assignment
    "group.consumer.min.assignment.interval.ms": "0",
    "group.consumer.assignment.interval.ms": "0",
    "group.consumer.heartbeat.interval.ms": "500",
    "auto.create.topics.enable": "false",  # a misspelt topic is an error, not an empty topic
    # a broker that was killed may register again when its old session is over: 9 s by default
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "300",
}

_RECORDED_KAFKA = {
    "rebalance_delay_ms": "group.initial.rebalance.delay.ms",
    "offsets_partitions": "offsets.topic.num.partitions",
    "session_timeout_floor_ms": "group.min.session.timeout.ms",
    "broker_session_timeout_ms": "broker.session.timeout.ms",
    "auto_create_topics": "auto.create.topics.enable",
}

_MOST_FILES = 65_536


def open_files() -> int:
    """Return how many files a broker may hold open: plenty, but no more than this machine allows.

    RabbitMQ spends minutes of processor time at the start where there is no limit at all.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return _MOST_FILES if hard == resource.RLIM_INFINITY else min(_MOST_FILES, hard)


def recorded_rabbitmq() -> dict[str, str]:
    """Return the settings of a RabbitMQ that we started, for the record."""
    return {"consumer_timeout_ms": RABBITMQ["consumer_timeout"], "open_files": str(open_files())}


def recorded_kafka() -> dict[str, str]:
    """Return the settings of a Kafka that we started, for the record."""
    return {name: KAFKA[key] for name, key in _RECORDED_KAFKA.items()}


def lines(settings: Mapping[str, str]) -> str:
    """Return settings as both brokers' configuration files spell them."""
    return "".join(f"{key} = {value}\n" for key, value in settings.items())
