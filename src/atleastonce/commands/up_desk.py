"""Carries out what is typed while the reference services run."""

import uuid
from collections.abc import Mapping

from atleastonce.brokers import Broker
from atleastonce.brokers.broker import Say
from atleastonce.commands import up_lines
from atleastonce.commands.up_keyboard import QUIT, START, STOP, Keyboard, Typed, typed
from atleastonce.commands.up_queues import ORDERS, POISON, QUEUES, Queues, order_placed
from atleastonce.commands.up_services import Services


class Desk(Keyboard):
    """What can be typed while the services run on RabbitMQ."""

    def __init__(self, services: Services, queues: Queues, broker: Broker, say: Say) -> None:
        super().__init__(services, say, COMMANDS)
        self.queues = queues
        self.broker = broker


def _depth(desk: Desk, _: str) -> None:
    desk.say(up_lines.depths([(queue, desk.queues.depth(queue)) for queue in QUEUES]))


def _duplicate(desk: Desk, _: str) -> None:
    name = f"twice-{uuid.uuid4().hex[:8]}"
    for _copy in range(2):
        desk.queues.publish(ORDERS, order_placed(name, name, burger=1), name)
    desk.say(
        f"published an order of one burger twice to {ORDERS}, both with message_id {name}; "
        f"the stock shall go down by one: curl -s {desk.services.address('inventory')}/stock"
    )


def _poison(desk: Desk, _: str) -> None:
    desk.queues.publish(ORDERS, POISON, f"poison-{uuid.uuid4().hex[:8]}")
    desk.say(f"published {POISON} to {ORDERS}; `depth` shows where it went")


def _lines(desk: Desk, _: str) -> None:
    desk.say(up_lines.addresses(desk.services, desk.broker))
    desk.say("\n" + up_lines.walk_through(desk.services))


def _help(desk: Desk, _: str) -> None:
    desk.say(typed(COMMANDS))
    desk.say("\nThree of them without this terminal:\n" + up_lines.by_curl(desk.broker))


COMMANDS: Mapping[str, Typed] = {
    "stop": STOP,
    "start": START,
    "depth": Typed("depth", "count the messages that wait in each queue", _depth),
    "duplicate": Typed("duplicate", "publish an OrderPlaced twice, with one message_id", _duplicate),
    "poison": Typed("poison", "publish a message that is no JSON", _poison),
    "lines": Typed("lines", "print the addresses and the walk-through again", _lines),
    "help": Typed("help", "explain these commands, and the ways to do without them", _help),
    "quit": QUIT,
}
"""Every command by its first word."""
