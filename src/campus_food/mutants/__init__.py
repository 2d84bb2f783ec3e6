"""The zoo: each module is a reference service with exactly one thing wrong, which a check must find."""

from typing import NamedTuple

QUORUM_ONLY = ("quorum",)
ONE_PARTITION = ("orders = { partitions = 4 }", "orders = { partitions = 1 }")
QUICKLY = ('tells-health = { within = "10s" }', 'tells-health = { within = "5s" }')
SOON = ('tells-health = { within = "10s" }', 'tells-health = { within = "8s" }')
"""On Kafka a transaction may be waited for, for 5 s, before a correct service says that it cannot work."""
RESTARTED = ('reset = "fresh-ids"', 'reset = "restart"')


class Mutant(NamedTuple):
    """A service in place of a reference service, and what shows what is wrong with it.

    `module` is to be run with `python -m`, in the place of the reference in the contract of this name, with so
    many `instances`, and each part of that file that is `amended` replaced. `promise` is the one it breaks first, in
    a schedule of one of the explorations `explore`. `why_not` says why another type of queue than `queue_types`
    cannot show it. A `race` may be missed.
    """

    module: str
    promise: str
    broker: str
    contract: str = "rabbitmq"
    explore: tuple[str, ...] = ("duplicates", "order", "poison", "outage", "crash", "http", "kafka")
    instances: int = 1
    amended: tuple[tuple[str, str], ...] = ()
    queue_types: tuple[str, ...] = ("quorum", "classic")
    why_not: str = ""
    race: bool = False


def _inventory(name: str, promise: str, *explore: str) -> Mutant:
    return Mutant(f"campus_food.mutants.{name}", promise, "rabbitmq", explore=explore)


def _order(name: str, promise: str, *explore: str) -> Mutant:
    return _inventory(name, promise, *explore)._replace(contract="order")


def _rest(name: str, promise: str) -> Mutant:
    return Mutant(f"campus_food.mutants.{name}", promise, "http", contract="rest", explore=("http",))


def _between(name: str, promise: str) -> Mutant:
    # A database that grows takes a write more now and then: with a new one each time the same point is the same call.
    return _inventory(name, promise, "writes")._replace(amended=(RESTARTED,))


def _between_on_kafka(name: str, promise: str) -> Mutant:
    return _kafka(name, promise, "writes")._replace(amended=(RESTARTED,))


def _shared(name: str, promise: str) -> Mutant:
    return _inventory(name, promise, "writes")._replace(contract="postgresql")


def _kafka(name: str, promise: str, *explore: str) -> Mutant:
    return _inventory(name, promise, *explore)._replace(broker="kafka", contract="kafka")


def _analytics(name: str) -> Mutant:
    return _kafka(name, "replays-identically", "replay")._replace(contract="analytics")


MUTANTS = {
    "ack-first": _inventory("ack_first", "nothing-lost", "crash"),
    "auto-ack": _inventory("auto_ack", "nothing-lost", "crash"),
    "no-dedupe": _inventory("no_dedupe", "effects-once", "duplicates"),
    "dedupe-in-memory": _inventory("dedupe_in_memory", "effects-once", "crash"),
    "dedupe-window": _inventory("dedupe_window", "effects-once", "duplicates"),
    "dedupe-by-redelivered": _inventory("dedupe_by_redelivered", "effects-once", "duplicates"),
    "dedupe-by-content": _inventory("dedupe_by_content", "nothing-lost", "crash"),
    "mark-before-effect": _between("mark_before_effect", "nothing-lost"),
    "mark-after-effect": _between("mark_after_effect", "effects-once"),
    "check-then-insert": _inventory("check_then_insert", "effects-once", "duplicates")._replace(
        instances=2, race=True
    ),
    "duplicate-is-poison": _inventory("duplicate_is_poison", "poison-set-aside", "duplicates"),
    "dual-write": _inventory("dual_write", "nothing-lost", "crash"),
    "ghost-event": _between("ghost_event", "effects-once"),
    "outbox-gap": _shared("outbox_gap", "nothing-lost"),
    "no-confirm": _order("no_confirm", "accepts-honestly", "outage"),
    "unroutable-ok": _order("unroutable_ok", "accepts-honestly", "outage"),
    "poison-requeue": _inventory("poison_requeue", "poison-set-aside", "poison"),
    "poison-dropped": _inventory("poison_dropped", "poison-set-aside", "poison"),
    "poison-crashes": _inventory("poison_crashes", "poison-set-aside", "poison"),
    "attempts-in-memory": _inventory("attempts_in_memory", "poison-set-aside", "poison"),
    "collateral-poison": _inventory("collateral_poison", "poison-set-aside", "poison")._replace(
        queue_types=QUORUM_ONLY, why_not="classic queues have no limit of deliveries"
    ),
    "dlq-unbound": _inventory("dlq_unbound", "poison-set-aside", "poison"),
    "dlq-rewrites": _inventory("dlq_rewrites", "poison-set-aside", "poison"),
    "letter-after-ack": _inventory("letter_after_ack", "poison-set-aside", "poison"),
    "ack-after-failed-retry-publish": _inventory("ack_after_failed_retry_publish", "nothing-lost", "crash"),
    "copy-then-ack": _inventory("copy_then_ack", "effects-once", "crash"),
    "ttl-eats-backlog": _inventory("ttl_eats_backlog", "backlog-drains", "outage"),
    "lifo-drain": _inventory("lifo_drain", "backlog-drains", "outage"),
    "silent-dead-consumer": _inventory("silent_dead_consumer", "recovers", "outage"),
    "stale-tag": _inventory("stale_tag", "recovers", "outage"),
    "healthy-zombie": _inventory("healthy_zombie", "tells-health", "outage")._replace(amended=(QUICKLY,)),
    "cancelled-is-handled": _inventory("cancelled_is_handled", "nothing-lost", "crash"),
    "order-broken": _inventory("order_broken", "keeps-order", "order")._replace(race=True),
    "no-retry": _rest("no_retry", "backs-off"),
    "hot-retry": _rest("hot_retry", "backs-off"),
    "endless-retry": _rest("endless_retry", "backs-off"),
    "retry-new-key": _rest("retry_new_key", "effects-once"),
    "auto-commit-early": _kafka("auto_commit_early", "nothing-lost", "crash"),
    "reset-latest": _kafka("reset_latest", "nothing-lost", "kafka"),
    "nack-is-skip": _kafka("nack_is_skip", "nothing-lost", "outage"),
    "no-commit-on-revoke": _kafka("no_commit_on_revoke", "effects-once", "kafka")._replace(race=True),
    "out-of-order-commit": _kafka("out_of_order_commit", "nothing-lost", "crash")._replace(
        amended=(ONE_PARTITION,), race=True
    ),
    "reads-uncommitted": _kafka("reads_uncommitted", "effects-once", "kafka"),
    "poison-blocks-partition": _kafka("poison_blocks_partition", "poison-set-aside", "poison"),
    "kafka-no-dedupe": _kafka("kafka_no_dedupe", "effects-once", "duplicates"),
    "kafka-dedupe-in-memory": _kafka("kafka_dedupe_in_memory", "effects-once", "crash"),
    "kafka-mark-before-effect": _between_on_kafka("kafka_mark_before_effect", "nothing-lost"),
    "kafka-mark-after-effect": _between_on_kafka("kafka_mark_after_effect", "effects-once"),
    "kafka-dual-write": _kafka("kafka_dual_write", "nothing-lost", "crash"),
    "kafka-poison-dropped": _kafka("kafka_poison_dropped", "poison-set-aside", "poison"),
    "kafka-poison-crashes": _kafka("kafka_poison_crashes", "poison-set-aside", "poison"),
    "kafka-healthy-zombie": _kafka("kafka_healthy_zombie", "tells-health", "outage")._replace(
        amended=(SOON,)
    ),
    "wall-clock-window": _analytics("wall_clock_window"),
    "set-order": _analytics("set_order"),
    "float-order": _analytics("float_order"),
    "counts-duplicates": _analytics("counts_duplicates"),
}
