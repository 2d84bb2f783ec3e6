"""Carries out what is typed while services run: one command at a time, whatever they are."""

from collections.abc import Callable, Mapping
from threading import Event
from typing import Any, NamedTuple

import click

from atleastonce.brokers.broker import Say
from atleastonce.commands.up_input import interactive, lines
from atleastonce.commands.up_services import Services
from atleastonce.conversion import near
from atleastonce.errors import AtLeastOnceError


class Typed(NamedTuple):
    """A command: how it is written, what it does, and how."""

    words: str
    meaning: str
    carry_out: Callable[[Any, str], None]

    @property
    def takes_service(self) -> bool:
        """Whether the name of a service follows."""
        return "SERVICE" in self.words


class Keyboard:
    """One command at a time; whatever goes wrong is told and changes nothing else."""

    def __init__(self, services: Services, say: Say, commands: Mapping[str, Typed]) -> None:
        self.services = services
        self.say = say
        self.commands = commands
        self.open = True

    def obey(self, line: str) -> None:
        """Carry out one line; `open` is False afterwards where it was the last."""
        name, *rest = line.split() or [""]
        if not name:
            return
        if name not in self.commands:
            self.say(f"there is no command {name!r}{near(name, self.commands)}")
            return
        command = self.commands[name]
        if len(rest) != command.takes_service:
            self.say(f"{name!r} is written: {command.words}; services: {', '.join(self.services.names)}")
            return
        try:
            command.carry_out(self, "".join(rest))
        except AtLeastOnceError as exc:
            self.say(str(exc))


def stop(desk: Keyboard, service: str) -> None:
    """Stop a service."""
    desk.services.stop(service)
    desk.say(f"{service} is stopped; `start {service}` starts it again")


def start(desk: Keyboard, service: str) -> None:
    """Start a service."""
    desk.services.start(service)
    desk.say(f"{service} is ready at {desk.services.address(service)}")


def leave(desk: Keyboard, _: str) -> None:
    """End everything."""
    desk.open = False


def typed(commands: Mapping[str, Typed]) -> str:
    """Return the commands that can be typed, with what each does."""
    return "\n".join(f"  {command.words:<16}{command.meaning}" for command in commands.values())


STOP = Typed("stop SERVICE", "stop order, inventory or notification; its data stay", stop)
START = Typed("start SERVICE", "start it again, where it was and with its data", start)
QUIT = Typed("quit", "end everything that was started, like Ctrl-C", leave)


def play(desk: Keyboard, stop: Event, addresses: str, walk_through: str) -> None:
    """Print what there is to do, then carry out what is typed until `quit`, Ctrl-D or Ctrl-C."""
    desk.say(f"\n{addresses}\n")
    desk.say("Copy what follows a $ into another terminal, and type what follows a > here:\n")
    desk.say(walk_through)
    desk.say(f"\nTo be typed here: {', '.join(desk.commands)}. Ctrl-C ends everything that was started.")
    _prompt()
    for line in lines(stop):
        if line is not None:
            desk.obey(line)
        fallen = desk.services.fallen()
        for name, how in fallen.items():
            desk.say(f"\n{name} is gone: {how}\n`start {name}` starts it again")
        if not desk.open:
            return
        if line is not None or fallen:
            _prompt()
    desk.say("")  # Ctrl-D leaves the cursor behind the prompt


def _prompt() -> None:
    if interactive():
        click.echo("> ", nl=False)
