"""``atleastonce up``: RabbitMQ and the reference services, to play with by hand or to be walked through."""

import click
from rich.console import Console

from atleastonce.brokers import ProviderName
from atleastonce.commands import reference, up_lines
from atleastonce.commands.session import Session, Source, session
from atleastonce.commands.up_desk import COMMANDS, Desk
from atleastonce.commands.up_input import interactive, lines
from atleastonce.commands.up_queues import VIRTUAL_HOST, Queues
from atleastonce.commands.up_services import Services, contract
from atleastonce.commands.walkthrough import Walk

_AS_IT_SHOULD_BE, _NOT_SO = 0, 1


def run(*, provider: ProviderName, walk: bool) -> int:
    """Start everything; walk through it, or let the user play until Ctrl-C or `quit`; return the exit code."""
    reference.need("up")
    console = Console(highlight=False)
    with session(["rabbitmq"], Source(provider), lambda line: _print(console, line, "dim")) as running:
        broker = running.brokers["rabbitmq"]
        amqp_url = f"{broker.url}/{VIRTUAL_HOST}"
        with Services(contract(), amqp_url, running.lifetime) as services:
            _print(console, f"starting {', '.join(services.names)}", "dim")
            services.start(*services.names)
            queues = Queues(amqp_url)
            if walk:
                return _AS_IT_SHOULD_BE if Walk(services, queues, console).carry_out() else _NOT_SO
            desk = Desk(services, queues, broker, lambda text: _print(console, text))
            try:
                _play(desk, running)
            except KeyboardInterrupt:  # the usual way to leave, and no failure
                console.print()
            _print(console, "ending everything that was started", "dim")
    return _AS_IT_SHOULD_BE


def _play(desk: Desk, running: Session) -> None:
    """Print what there is to do, then carry out what is typed."""
    desk.say(f"\n{up_lines.addresses(desk.services, desk.broker)}\n")
    desk.say("Copy what follows a $ into another terminal, and type what follows a > here:\n")
    desk.say(up_lines.walk_through(desk.services))
    desk.say(f"\nTo be typed here: {', '.join(COMMANDS)}. Ctrl-C ends everything that was started.")
    _prompt()
    for line in lines(running.stop):
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


def _print(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
