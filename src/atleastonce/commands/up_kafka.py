"""The reference services on Kafka, as `up --kafka` starts them and prints them for people to copy."""

import shlex
import sys
from collections.abc import Mapping

from atleastonce.brokers.broker import Say
from atleastonce.commands.up_keyboard import QUIT, START, Keyboard, Typed, stop, typed
from atleastonce.commands.up_lines import CURL, numbered, places, table
from atleastonce.commands.up_services import Services
from atleastonce.commands.up_stream import DEAD, EVENTS, ORDERS, Stream
from atleastonce.contract import Service
from atleastonce.durations import Duration
from campus_food.kafka.producer import Plan

SLOW = "slow"
"""Analytics once more, with a group and a database of its own, which may read so many records a second."""
PACE = 5000
PLAN = Plan()


def _service(name: str, module: str, **env: str) -> Service:
    return Service(
        command=f"python -m campus_food.kafka.{module}",
        ready="http://127.0.0.1:{port}/health",
        ready_within=Duration(30),  # the slowest shared machine, not the usual one
        env={
            "KAFKA_BOOTSTRAP": "{kafka_bootstrap}",
            "GROUP": name,
            "ORDERS_TOPIC": ORDERS,
            "EVENTS_TOPIC": EVENTS,
            "DEAD_LETTER_TOPIC": DEAD[name],
            "DATABASE_URL": f"sqlite:///{{data_dir}}/{name}.db",
            "PORT": "{port}",
            "SESSION_TIMEOUT": "6000",  # who kills one by hand need not wait for the usual 45 s
            **env,
        },
    )


SERVICES: Mapping[str, Service] = {
    "inventory": _service("inventory", "inventory"),
    "analytics": _service("analytics", "analytics"),
    SLOW: _service(SLOW, "analytics", THROTTLE=str(PACE)),
}
"""How each is started."""
AT_ONCE = ("inventory", "analytics")
"""Those that are started at the beginning."""


def addresses(services: Services, stream: Stream) -> str:
    """Say where the services and the broker are, and where the services write to."""
    topics = ", ".join((ORDERS, EVENTS, *DEAD.values()))
    return table([*places(services), ("Kafka", stream.bootstrap, f"topics: {topics}")])


def walk_through(services: Services, stream: Stream) -> str:
    """Return the walk-through: lines with $ for another terminal, lines with > to be typed here."""
    inventory, analytics = services.address("inventory"), services.address("analytics")
    module = f"{shlex.quote(sys.executable)} -m campus_food.kafka"
    here = f"KAFKA_BOOTSTRAP={stream.bootstrap}"
    return numbered(
        [
            (
                f"{PLAN.orders} orders: inventory answers each, analytics prints the metrics every 1,000.",
                [
                    "> produce",
                    f"$ grep -c 'Inventory event emitted' {services.log('inventory')}",
                    f"$ grep -A 20 'ANALYTICS METRICS REPORT' {services.log('analytics')}",
                    f"$ {CURL} {analytics}/report.txt",
                ],
            ),
            (
                "The same orders again, byte by byte: duplicates, which change nothing.",
                [f"$ {here} {module}.producer {PLAN.orders}", f"$ {CURL} {analytics}/report.txt"],
            ),
            (
                "Poison, which is no JSON, is set aside; the partition goes on.",
                ["> poison", f"$ grep Poison {services.log('inventory')}"],
            ),
            (
                f"A reader with {PACE} records a second: its lag is large, and shrinks.",
                [f"> start {SLOW}", "> lag"],
            ),
            (
                "Without inventory the orders wait; with it they are answered.",
                ["> stop inventory", "> produce", f"$ {CURL} {analytics}/lag", "> start inventory", "> lag"],
            ),
            (
                "Everything again from offset zero, with a fresh group and fresh state: the same digest.",
                [
                    f"$ {CURL} -X POST {analytics}/replay.txt",
                    f"$ {here} {module}.replay --beside {analytics}",
                    f"$ {CURL} {inventory}/stock",
                ],
            ),
        ]
    )


class Desk(Keyboard):
    """What can be typed while the services run on Kafka."""

    def __init__(self, services: Services, stream: Stream, say: Say) -> None:
        super().__init__(services, say, COMMANDS)
        self.stream = stream


def _produce(desk: Desk, _: str) -> None:
    desk.stream.produce(PLAN, desk.say)


def _poison(desk: Desk, _: str) -> None:
    desk.stream.poison()
    desk.say(f"published what is no JSON to {ORDERS}; copies go to {', '.join(DEAD.values())}")


def _lag(desk: Desk, _: str) -> None:
    for name in desk.services.names:
        found = desk.services.shown(name, "/lag")
        if found is None:
            desk.say(f"  {name:<12}does not answer")
            continue
        parts = " ".join(
            f"{row['topic']}/{row['partition']}:{row['lag']}" for row in found["partitions"] if row["lag"]
        )
        desk.say(f"  {name:<12}{found['lag']:>8}  {parts}")


def _lines(desk: Desk, _: str) -> None:
    desk.say(addresses(desk.services, desk.stream))
    desk.say("\n" + walk_through(desk.services, desk.stream))


def _help(desk: Desk, _: str) -> None:
    desk.say(typed(desk.commands))


COMMANDS: Mapping[str, Typed] = {
    "stop": Typed("stop SERVICE", f"stop inventory, analytics or {SLOW}; its data stay", stop),
    "start": START,
    "produce": Typed("produce", f"publish {PLAN.orders} orders, the same every time", _produce),
    "poison": Typed("poison", "publish what is no JSON", _poison),
    "lag": Typed("lag", "show how many records each service has not read, by partition", _lag),
    "lines": Typed("lines", "print the addresses and the walk-through again", _lines),
    "help": Typed("help", "explain these commands", _help),
    "quit": QUIT,
}
"""Every command by its first word."""
