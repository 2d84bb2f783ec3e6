"""Carries out what is typed while the reference services run."""

import uuid
from collections.abc import Callable, Mapping
from typing import NamedTuple

from atleastonce.brokers import Broker
from atleastonce.brokers.broker import Say
from atleastonce.commands import up_lines
from atleastonce.commands.up_queues import ORDERS, POISON, QUEUES, Queues, order_placed
from atleastonce.commands.up_services import Services
from atleastonce.conversion import near
from atleastonce.errors import AtLeastOnceError


class Typed(NamedTuple):
    """A command: how it is written, what it does, and how."""

    words: str
    meaning: str
    carry_out: Callable[["Desk", str], None]

    @property
    def takes_service(self) -> bool:
        """Whether the name of a service follows."""
        return "SERVICE" in self.words


class Desk:
    """One command at a time; whatever goes wrong is told and changes nothing else."""

    def __init__(self, services: Services, queues: Queues, broker: Broker, say: Say) -> None:
        self.services = services
        self.queues = queues
        self.broker = broker
        self.say = say
        self.open = True

    def obey(self, line: str) -> None:
        """Carry out one line; `open` is False afterwards where it was the last."""
        name, *rest = line.split() or [""]
        if not name:
            return
        if name not in COMMANDS:
            self.say(f"there is no command {name!r}{near(name, COMMANDS)}")
            return
        command = COMMANDS[name]
        if len(rest) != command.takes_service:
            self.say(f"{name!r} is written: {command.words}; services: {', '.join(self.services.names)}")
            return
        try:
            command.carry_out(self, "".join(rest))
        except AtLeastOnceError as exc:
            self.say(str(exc))


def _stop(desk: Desk, service: str) -> None:
    desk.services.stop(service)
    desk.say(f"{service} is stopped; `start {service}` starts it again")


def _start(desk: Desk, service: str) -> None:
    desk.services.start(service)
    desk.say(f"{service} is ready at {desk.services.address(service)}")


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
    desk.say(up_lines.typed([(command.words, command.meaning) for command in COMMANDS.values()]))
    desk.say("\nThree of them without this terminal:\n" + up_lines.by_curl(desk.broker))


def _quit(desk: Desk, _: str) -> None:
    desk.open = False


COMMANDS: Mapping[str, Typed] = {
    "stop": Typed("stop SERVICE", "stop order, inventory or notification; its data stay", _stop),
    "start": Typed("start SERVICE", "start it again, where it was and with its data", _start),
    "depth": Typed("depth", "count the messages that wait in each queue", _depth),
    "duplicate": Typed("duplicate", "publish an OrderPlaced twice, with one message_id", _duplicate),
    "poison": Typed("poison", "publish a message that is no JSON", _poison),
    "lines": Typed("lines", "print the addresses and the walk-through again", _lines),
    "help": Typed("help", "explain these commands, and the ways to do without them", _help),
    "quit": Typed("quit", "end everything that was started, like Ctrl-C", _quit),
}
"""Every command by its first word."""
