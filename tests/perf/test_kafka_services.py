"""The services on Kafka against bare loops over the same log, in one run, as ratios."""

import itertools
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from comparing import at_least
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from campus_food.domain import reserve
from campus_food.kafka import events
from campus_food.kafka.analytics import BATCH as ANALYTICS_BATCH
from campus_food.kafka.analytics import Analytics
from campus_food.kafka.clients import BATCH, Cluster, consumer_settings
from campus_food.kafka.consumer import positions
from campus_food.kafka.decisions import Decisions
from campus_food.kafka.facts import Facts
from campus_food.kafka.inventory import INVENTORY, Inventory
from campus_food.kafka.metrics import Metrics
from campus_food.kafka.producer import SOLD_OUT, Plan, placed
from campus_food.kafka.reading import Reader
from campus_food.kafka.replay import high_watermarks, replay
from campus_food.kafka.transactions import Transactions
from campus_food.settings import common

pytestmark = [pytest.mark.perf, pytest.mark.timeout(600)]

EVENTS = 1_000_000
ORDERS = 200_000
PARTITIONS = 4
ROUNDS = 3
WITHIN = 60.0  # seconds for what takes a few
PLAN = Plan(orders=EVENTS, per_minute=100_000)


def told(order: events.OrderPlaced) -> Iterator[events.Event]:
    """Yield what an inventory says of an order."""
    return events.failed(order, "too little stock") if SOLD_OUT in order.items else events.reserved(order)


def written() -> Iterator[tuple[str, str, bytes]]:
    """Yield topic, key and value of orders and of what is said of them, in the order in which that happens."""
    for order in placed(PLAN):
        yield "orders", order.order_id, events.encode(order)
        for event in told(order):
            yield "events", order.order_id, events.encode(event)


def filled(url: str, records: Iterator[tuple[str, str, bytes]]) -> Cluster:
    """Make topics and write records to them."""
    run = uuid.uuid4().hex[:8]
    cluster = Cluster(url, f"orders-{run}", f"events-{run}", f"group-{run}", transactional_id=f"id-{run}")
    names = {"orders": cluster.orders, "events": cluster.events}
    topics = [NewTopic(name, PARTITIONS, 1) for name in names.values()]
    admin = AdminClient({"bootstrap.servers": url})
    for made in admin.create_topics(topics).values():
        made.result(30)
    producer = Producer({"bootstrap.servers": url, "queue.buffering.max.messages": 10_000_000})
    for number, (topic, key, value) in enumerate(records):
        producer.produce(names[topic], value, key)
        if not number % 10_000:
            producer.poll(0)
    assert producer.flush(60) == 0
    return cluster


def again(cluster: Cluster, batch: int) -> Cluster:
    """Return the cluster for a group, and a transactional id, that nobody had before."""
    run = uuid.uuid4().hex[:8]
    return replace(cluster, group=f"group-{run}", transactional_id=f"id-{run}", batch=batch)


def bare_consume(cluster: Cluster) -> float:
    """Return how many events a second a loop consumes and decodes."""
    read: dict[str | None, Callable[[bytes | None], object]] = {
        cluster.orders: events.read_order,
        cluster.events: events.read_event,
    }
    client = Consumer(consumer_settings(again(cluster, ANALYTICS_BATCH)))
    left = sum(high_watermarks(cluster).values())
    client.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in high_watermarks(cluster)])
    began, count = time.perf_counter(), left
    while left:
        for record in client.consume(ANALYTICS_BATCH, 0.1):
            if record.error() is None:
                read[record.topic()](record.value())
                left -= 1
    seconds = time.perf_counter() - began
    client.close()
    return count / seconds


def ingested(cluster: Cluster, folder) -> float:
    """Return how many events a second analytics takes in, database, report lines, joining the group and all."""
    settings = common({"DATABASE_URL": f"sqlite:///{folder}/{uuid.uuid4().hex}.db"}, "analytics", 1)
    store, ends = Facts.open(settings), high_watermarks(cluster)
    worker = Analytics(again(cluster, ANALYTICS_BATCH), store)
    began = time.perf_counter()
    worker.start(lambda: None)
    assert worker.ledger.wait(lambda: worker.ledger.positions == ends, WITHIN)
    seconds = time.perf_counter() - began
    worker.stop()
    store.close()
    return sum(ends.values()) / seconds


def replayed(cluster: Cluster) -> float:
    """Return how many events a second a replay takes in."""
    ends = high_watermarks(cluster)
    began = time.perf_counter()
    assert replay(cluster, ends, Metrics(), Reader(cluster)).total
    return sum(ends.values()) / (time.perf_counter() - began)


def bare_transactions(cluster: Cluster) -> float:
    """Return how many orders a second a loop reads, decides in memory, answers, and commits."""
    cluster, began = again(cluster, BATCH), time.perf_counter()
    transactions = Transactions(cluster)
    transactions.enter()
    client = Consumer(consumer_settings(cluster))
    client.subscribe([cluster.orders])
    left, stock = ORDERS, dict(INVENTORY.opening_stock)
    while left:
        got = [record for record in client.consume(BATCH, 0.1) if record.error() is None]
        if not got:
            continue
        transactions.begin()
        for record in got:
            order = events.read_order(record.value())
            stock.update(getattr(reserve(stock, order.items), "left", {}))
            transactions.write(
                cluster.events, ((order.order_id, events.encode(each)) for each in told(order))
            )
        reached = [TopicPartition(*place, offset) for place, offset in positions(got).items()]
        transactions.take_offsets(reached, client.consumer_group_metadata())
        transactions.commit()
        left -= len(got)
    seconds = time.perf_counter() - began
    client.close()
    return ORDERS / seconds


def reserved(cluster: Cluster, folder, *, log_lines: bool = False) -> float:
    """Return how many orders a second the inventory handles, with its database, with or without a line for each."""
    logging.getLogger("campus_food.kafka.inventory").setLevel(logging.INFO if log_lines else logging.WARNING)
    settings = common(
        {"DATABASE_URL": f"sqlite:///{folder}/{uuid.uuid4().hex}.db"}, "inventory", 1, INVENTORY.opening_stock
    )
    store = Decisions.open(settings)
    worker = Inventory(again(cluster, BATCH), store)
    began = time.perf_counter()
    worker.start(lambda: None)
    while len(worker.ends) < PARTITIONS and time.perf_counter() < began + WITHIN:
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    assert sum(worker.ends.values()) == ORDERS
    worker.stop()
    store.close()
    return ORDERS / seconds


def median(values: list[float]) -> float:
    """Return the middle one."""
    return sorted(values)[len(values) // 2]


def test_analytics_against_a_bare_loop(benchmark, kafka, figures, compared, tmp_path):
    """A million events; rounds one right behind the other, so that a busy machine slows all three."""
    cluster = filled(kafka.url, itertools.islice(written(), EVENTS))
    rounds = [(bare_consume(cluster), ingested(cluster, tmp_path), replayed(cluster)) for _ in range(ROUNDS)]
    benchmark.pedantic(replayed, args=(cluster,), rounds=1)
    figures["bare consume and decode: events/s, median"] = median([bare for bare, _, _ in rounds])
    figures["analytics: events/s, median"] = median([live for _, live, _ in rounds])
    figures["replay: events/s, median"] = median([again for _, _, again in rounds])
    figures["analytics / bare, median"] = median([live / bare for bare, live, _ in rounds])
    figures["replay / bare, median"] = median([again / bare for bare, _, again in rounds])
    against = "consume and decode"
    lives, agains = ([(each[at], each[0]) for each in rounds] for at in (1, 2))
    compared.pairs("analytics, 1,000,000 events", "events/s", against, lives, at_least(0.5))
    compared.pairs("replay of 1,000,000 events", "events/s", against, agains, at_least(0.5))
    benchmark.extra_info.update(figures)


def test_inventory_against_a_bare_loop(benchmark, kafka, figures, compared, tmp_path):
    """Read, process, write in transactions of the same size, with as many answers."""
    orders = (
        ("orders", order.order_id, events.encode(order)) for order in placed(replace(PLAN, orders=ORDERS))
    )
    cluster = filled(kafka.url, orders)
    rounds = [
        (bare_transactions(cluster), reserved(cluster, tmp_path), reserved(cluster, tmp_path, log_lines=True))
        for _ in range(ROUNDS)
    ]
    benchmark.pedantic(bare_transactions, args=(cluster,), rounds=1)
    figures["bare transactions: orders/s, median"] = median([bare for bare, _, _ in rounds])
    figures["inventory: orders/s, median"] = median([own for _, own, _ in rounds])
    figures["inventory with its log lines: orders/s, median"] = median([own for _, _, own in rounds])
    figures["inventory / bare, median"] = median([own / bare for bare, own, _ in rounds])
    figures["inventory with its log lines / bare, median"] = median([own / bare for bare, _, own in rounds])
    against = "transactions of the same size"
    for what, at in (("inventory on Kafka", 1), ("inventory on Kafka, with its log lines", 2)):
        own = [(each[at], each[0]) for each in rounds]
        compared.pairs(what, "orders/s", against, own, at_least(0.7))
    benchmark.extra_info.update(figures)
