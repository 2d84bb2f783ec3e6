"""The reference services over HTTP alone, as `up --rest` starts them and prints them for people to copy."""

import json
from collections.abc import Mapping

from atleastonce.brokers.broker import Say
from atleastonce.commands.up_keyboard import QUIT, START, STOP, Keyboard, Typed, typed
from atleastonce.commands.up_lines import CURL, numbered, places, table
from atleastonce.commands.up_services import Services
from atleastonce.contract import Service
from atleastonce.durations import Duration

USER = "ada"
"""Who orders."""

_CURL_WITH_TIME = "curl -sS -w ' %{http_code} after %{time_total} s\\n'"


def _service(name: str, **env: str) -> Service:
    return Service(
        command=f"python -m campus_food.rest.{name}",
        # Order is healthy while the others are, and may be started without them: that it listens is enough.
        ready="" if name == "order" else "http://127.0.0.1:{port}/health",
        ready_within=Duration(30),  # the slowest shared machine, not the usual one
        env={
            "DATABASE_URL": f"sqlite:///{{data_dir}}/{name}.db",
            "PORT": "{port}",
            "FAULT_INJECTION": "1",
            **env,
        },
    )


SERVICES: Mapping[str, Service] = {
    "order": _service("order", INVENTORY_URL="{http:inventory}", NOTIFICATION_URL="{http:notification}"),
    "inventory": _service("inventory"),
    "notification": _service("notification"),
}
"""How each is started."""


def addresses(services: Services) -> str:
    """Say where the services are, and where they write to."""
    return table(places(services))


def walk_through(services: Services) -> str:
    """Return the walk-through: lines with $ for another terminal, lines with > to be typed here."""
    stock = f"$ {CURL} {services.address('inventory')}/stock"
    told = f"$ {CURL} {services.address('notification')}/users/{USER}/notifications"
    kept = f"$ {CURL} {services.address('inventory')}/users/{USER}/reservations"

    def order(query: str = "", key: str = "", items: Mapping[str, int] | None = None) -> str:
        body = json.dumps({"user_id": USER, "items": items or {"burger": 1}})
        header = f" -H 'Idempotency-Key: {key}'" if key else ""
        return f"$ {_CURL_WITH_TIME} '{services.address('order')}/order{query}' -d '{body}'{header}"

    def attempts(key: str) -> str:
        return f"$ {CURL} {services.address('inventory')}/attempts/{key}"

    return numbered(
        [
            (
                "Order: 200 once inventory and notification have done their part. Again with this key: the same order.",
                [order(key="first"), stock, told],
            ),
            ("Inventory takes two seconds: so does the order.", [order("?delay=2")]),
            (
                "Inventory fails: 502 after 3 attempts, and the backoffs of 0.5 s and 1 s between them.",
                [order("?fail=500", "fails"), attempts("fails"), stock],
            ),
            (
                "Inventory fails twice, then works: 200 after as long, and the stock goes down by one.",
                [order("?fail=500&fail_times=2", "flaky"), attempts("flaky"), stock],
            ),
            (
                "Notification fails: 502, and the reservation is released.",
                [order("?notification_fail=500"), stock, kept],
            ),
            (
                "Inventory is away: 502. What it may hold is released once it is back.",
                ["> stop inventory", order(), "> start inventory", stock, kept],
            ),
            (
                "What is not on the menu: 409. What is no order: 400, with the field.",
                [order(items={"sushi": 1}), order(items={"burger": 0})],
            ),
        ]
    )


def desk(services: Services, say: Say) -> Keyboard:
    """Take what is typed while the services run."""
    return Keyboard(services, say, COMMANDS)


def _lines(desk: Keyboard, _: str) -> None:
    desk.say(addresses(desk.services))
    desk.say("\n" + walk_through(desk.services))


def _help(desk: Keyboard, _: str) -> None:
    desk.say(typed(desk.commands))


COMMANDS: Mapping[str, Typed] = {
    "stop": STOP,
    "start": START,
    "lines": Typed("lines", "print the addresses and the walk-through again", _lines),
    "help": Typed("help", "explain these commands", _help),
    "quit": QUIT,
}
"""Every command by its first word."""
