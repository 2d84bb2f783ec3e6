"""``atleastonce up``: the reference services, to play with by hand or to be walked through."""

from importlib import resources

from rich.console import Console

from atleastonce.brokers import ProviderName
from atleastonce.commands import (
    reference,
    up_kafka,
    up_kafka_walk,
    up_lines,
    up_rest,
    up_rest_walk,
    up_stream,
)
from atleastonce.commands.session import Session, Source, session
from atleastonce.commands.up_desk import Desk
from atleastonce.commands.up_keyboard import Keyboard, play
from atleastonce.commands.up_queues import VIRTUAL_HOST, Queues
from atleastonce.commands.up_services import Services
from atleastonce.commands.walkthrough import Walk
from atleastonce.contract import Contract
from atleastonce.contract_file import parse
from atleastonce.errors import UsageError

_AS_IT_SHOULD_BE, _NOT_SO = 0, 1


def contract() -> Contract:
    """Read the contract of the whole ordering system, which says how each service is started."""
    found = resources.files("campus_food").joinpath("contracts", "campus.toml")
    return parse(found.read_text("utf-8"))


def run(*, provider: ProviderName, walk: bool, rest: bool, kafka: bool) -> int:
    """Start everything; walk through it, or let the user play until Ctrl-C or `quit`; return the exit code."""
    reference.need("up")
    console = Console(highlight=False)
    if rest and kafka:
        raise UsageError("found --rest and --kafka, expected one of the two")
    if rest:
        return _rest(console, walk=walk)
    return (_kafka if kafka else _rabbitmq)(console, provider, walk=walk)


def _rest(console: Console, *, walk: bool) -> int:
    with (
        session([], Source(), lambda line: _print(console, line, "dim")) as running,
        Services(up_rest.SERVICES, {}, running.lifetime) as services,
    ):
        _print(console, f"starting {', '.join(services.names)}", "dim")
        services.start(*services.names)
        if walk:
            return _AS_IT_SHOULD_BE if up_rest_walk.RestWalk(services, console).carry_out() else _NOT_SO
        desk = up_rest.desk(services, lambda text: _print(console, text))
        _play(desk, running, up_rest.addresses(services), up_rest.walk_through(services))
        _print(console, "ending everything that was started", "dim")
    return _AS_IT_SHOULD_BE


def _kafka(console: Console, provider: ProviderName, *, walk: bool) -> int:
    with session(["kafka"], Source(provider), lambda line: _print(console, line, "dim")) as running:
        stream = up_stream.Stream(running.brokers["kafka"].url)
        stream.create()
        values = {"kafka_bootstrap": stream.bootstrap}
        with Services(up_kafka.SERVICES, values, running.lifetime) as services:
            _print(console, f"starting {', '.join(up_kafka.AT_ONCE)}", "dim")
            services.start(*up_kafka.AT_ONCE)
            if walk:
                carried_out = up_kafka_walk.KafkaWalk(services, stream, console).carry_out()
                return _AS_IT_SHOULD_BE if carried_out else _NOT_SO
            desk = up_kafka.Desk(services, stream, lambda text: _print(console, text))
            _play(
                desk, running, up_kafka.addresses(services, stream), up_kafka.walk_through(services, stream)
            )
            _print(console, "ending everything that was started", "dim")
    return _AS_IT_SHOULD_BE


def _rabbitmq(console: Console, provider: ProviderName, *, walk: bool) -> int:
    with session(["rabbitmq"], Source(provider), lambda line: _print(console, line, "dim")) as running:
        broker = running.brokers["rabbitmq"]
        amqp_url = f"{broker.url}/{VIRTUAL_HOST}"
        chain = contract()
        values = {"amqp_url": amqp_url, "queue_type": chain.broker.queue_type}
        with Services(chain.all_services, values, running.lifetime) as services:
            _print(console, f"starting {', '.join(services.names)}", "dim")
            services.start(*services.names)
            queues = Queues(amqp_url)
            if walk:
                return _AS_IT_SHOULD_BE if Walk(services, queues, console).carry_out() else _NOT_SO
            desk = Desk(services, queues, broker, lambda text: _print(console, text))
            _play(desk, running, up_lines.addresses(services, broker), up_lines.walk_through(services))
            _print(console, "ending everything that was started", "dim")
    return _AS_IT_SHOULD_BE


def _play(desk: Keyboard, running: Session, addresses: str, walk_through: str) -> None:
    try:
        play(desk, running.stop, addresses, walk_through)
    except KeyboardInterrupt:  # the usual way to leave, and no failure
        desk.say("")


def _print(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
