"""What `up` prints for people to copy: where everything is, and the walk-through as commands."""

import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from atleastonce.brokers import Broker
from atleastonce.brokers.settings import RABBITMQ
from atleastonce.commands.up_queues import DEAD, ORDERS, POISON, QUEUES, USER, VIRTUAL_HOST, order_placed
from atleastonce.commands.up_services import Services

CURL = "curl -sS -w '\\n'"
_CURL_WITH_STATUS = "curl -sS -w ' %{http_code}\\n'"
_STALE = int(RABBITMQ["collect_statistics_interval"]) // 1000  # seconds
_PUBLISHED_TWICE = "two-copies"


def addresses(services: Services, broker: Broker) -> str:
    """Say where the services and the broker are, and where the services write to."""
    rows = places(services)
    base, login = _management(broker)
    rows.append(("RabbitMQ", base, f"management, {login.replace(':', ' / ')}; AMQP: {broker.url}"))
    return table(rows)


def walk_through(services: Services) -> str:
    """Return the walk-through: lines with $ for another terminal, lines with > to be typed here."""
    order, stock = _order(services.address("order")), f"$ {CURL} {services.address('inventory')}/stock"
    told = f"$ {CURL} {services.address('notification')}/users/{USER}/notifications"
    steps = [
        (
            "Order: 200, the stock goes down, a notification is sent. Again with this key: the same order.",
            [f"$ {order} -H 'Idempotency-Key: 1'", stock, told],
        ),
        (
            "Stop the inventory and order three times: still 200, and the three wait in its queue.",
            ["> stop inventory", f"$ for n in 1 2 3; do {order}; done", "> depth"],
        ),
        (
            "Start it again: the queue drains, and the stock goes down by the three.",
            ["> start inventory", "> depth", stock],
        ),
        (
            "The same message twice: the stock goes down once, and the log of inventory says why.",
            ["> duplicate", stock, f"$ grep skipping {services.log('inventory')}"],
        ),
        (
            f"Poison, which is no JSON, goes to {DEAD}; a good order still works.",
            ["> poison", "> depth", f"$ {order}", stock],
        ),
        (
            f"An unknown item: 200, then a notification of the failure; {DEAD} stays as it is.",
            [f"$ {_order(services.address('order'), 'sushi')}", told, "> depth"],
        ),
    ]
    return numbered(steps)


def numbered(steps: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return steps, each a title and the lines to copy, one below the other."""
    return "\n\n".join(
        "\n".join([f"{number}. {title}", *(f"     {line}" for line in lines)])
        for number, (title, lines) in enumerate(steps, 1)
    )


def places(services: Services) -> list[tuple[str, str, str]]:
    """Say where the services are, and where they write to."""
    return [(name, services.address(name), f"log: {services.log(name)}") for name in services.names]


def table(rows: Sequence[tuple[str, str, str]]) -> str:
    """Return names, addresses and more below each other."""
    return "\n".join(f"  {name:<14}{address:<26}{more}" for name, address, more in rows)


def by_curl(broker: Broker) -> str:
    """Return what depth, duplicate and poison do, as commands for curl and RabbitMQ's management interface."""
    twice = order_placed(_PUBLISHED_TWICE, _PUBLISHED_TWICE, burger=1)
    base, login = _management(broker)
    queues = f"{base}/api/queues/{VIRTUAL_HOST}"
    lines = [
        f"duplicate  for n in 1 2; do {_publish(broker, twice, _PUBLISHED_TWICE)}; done",
        f"poison     {_publish(broker, POISON, 'poison')}",
        f"depth      {CURL} -u {login} '{queues}/{ORDERS}?columns=messages_ready'",
        f"           (counted every {_STALE} s only, and not at first; what is typed asks the queue itself)",
    ]
    return "\n".join(f"  {line}" for line in lines)


def depths(found: Sequence[tuple[str, int]]) -> str:
    """Return how many messages wait in each queue."""
    width = max(map(len, QUEUES))
    return "\n".join(f"  {queue:<{width}}{depth:>5}" for queue, depth in found)


def _order(address: str, item: str = "burger") -> str:
    body = json.dumps({"user_id": USER, "items": {item: 1}})
    return f"{_CURL_WITH_STATUS} {address}/order -d '{body}'"


def _publish(broker: Broker, payload: str, message_id: str) -> str:
    base, login = _management(broker)
    properties = {"message_id": message_id, "content_type": "application/json", "delivery_mode": 2}
    content = {
        "properties": properties,
        "routing_key": ORDERS,
        "payload": payload,
        "payload_encoding": "string",
    }
    address = f"{base}/api/exchanges/{VIRTUAL_HOST}/amq.default/publish"
    return f"{CURL} -u {login} {address} -d '{json.dumps(content)}'"


def _management(broker: Broker) -> tuple[str, str]:
    """Return the address of the management interface without the login, and the login."""
    split = urlsplit(broker.management_url or "")
    return f"http://{split.hostname}:{split.port}", f"{split.username}:{split.password}"
