"""The command line: ``atleastonce demo``, ``verify``, ``replay``, ``judge``, ``up``, ``latency``.

Each command lives in a module of its own, imported when it is called: ``--help`` must be instant.
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from atleastonce import __version__
from atleastonce.cache import keep_hypothesis_in_it
from atleastonce.errors import AtLeastOnceError, Cancelled, UsageError

_PROVIDERS = ("auto", "docker", "native", "external")
_INTERRUPTED = 130
_WRONG_CALL = 2
_UNKNOWN = 3


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 every promise kept, 1 one broken, 2 the call or the contract is wrong, "
    "3 unknown and none broken.",
)
@click.version_option(__version__, prog_name="atleastonce")
def cli() -> None:
    """Prove that a message-driven service survives at-least-once delivery.

    Starts a real broker, delivers messages the way brokers really do (twice, again after a crash at any
    protocol step), watches your service, and says for each promise: kept, broken or unknown.
    """


def _call(command: str, **options: object) -> int:
    """Import a command's module and run it."""
    module = importlib.import_module(f"atleastonce.commands.{command}")
    return int(module.run(**options))


def _source(provider: str, url: str | None, management_url: str | None) -> object:
    from atleastonce.commands.session import Source  # noqa: PLC0415 - see the module's docstring

    return Source(provider, url, management_url)  # type: ignore[arg-type]  # click has checked the name


_provider = click.option(
    "--provider",
    type=click.Choice(_PROVIDERS),
    default="auto",
    show_default=True,
    help="Where the broker comes from: a Docker engine, a local program, or URLs that you give.",
)
_url = click.option(
    "--url", help="The broker's URL, for --provider external: amqp://user:password@host:port or host:port."
)
_management = click.option(
    "--management-url", help="RabbitMQ's management interface (external): http://user:password@host:port."
)
_report = click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to write the report into; one that is there is replaced.  [default: .atleastonce/<time>]",
)


@cli.command(short_help="See it work on services of our own.")
@click.option("--provider", type=click.Choice(_PROVIDERS[:3]), default="auto", show_default=True)
@_report
def demo(**options: object) -> int:
    """Show what this tool does: the reference services kept, a mutant of them broken, on real brokers."""
    return _call("demo", **options)


@cli.command(short_help="Verify the promises of a contract.")
@click.argument("file", type=click.Path(path_type=Path), default="atleastonce.toml")
@click.option(
    "--budget",
    metavar="DURATION",
    help='Start no new schedule after this time, like "60s"; failures are still proven.',
)
@click.option(
    "--explore",
    metavar="WHAT,…",
    help="What to try: any of duplicates, order, poison, outage, crash, http, replay, kafka, writes, random.  "
    "[default: all but the last two]",
)
@click.option(
    "--messages", type=click.IntRange(1, 50), default=3, show_default=True, help="How many messages."
)
@click.option(
    "--lanes", type=click.IntRange(1, 16), default=2, show_default=True, help="Subjects side by side."
)
@click.option("--queue-type", type=click.Choice(["quorum", "classic"]), help="Instead of broker.queue_type.")
@click.option("--seed", type=int, default=0, show_default=True, help="Orders the schedules.")
@_provider
@_url
@_management
@_report
def verify(
    messages: int,
    lanes: int,
    seed: int,
    provider: str,
    url: str | None,
    management_url: str | None,
    **options: object,
) -> int:
    """Verify the promises of a contract FILE (default: atleastonce.toml)."""
    from atleastonce.campaign import Plan  # noqa: PLC0415 - see the module's docstring

    plan = Plan(messages=messages, lanes=lanes, seed=seed)
    return _call("verify", plan=plan, source=_source(provider, url, management_url), **options)


@cli.command(short_help="Carry a counterexample out again.")
@click.argument("counterexample", type=click.Path(path_type=Path))
@click.option(
    "--times",
    type=click.IntRange(1, 100),
    help="How often. Default: once; where it was not seen again each time, until it is, as often as that may take.",
)
@click.option(
    "--contract",
    type=click.Path(path_type=Path),
    help="Replay on this contract instead of the one the counterexample was found with.",
)
@_provider
@_url
@_management
def replay(provider: str, url: str | None, management_url: str | None, **options: object) -> int:
    """Replay a COUNTEREXAMPLE folder: FIXED (0), STILL BROKEN (1) or INCONCLUSIVE (3)."""
    return _call("replay", source=_source(provider, url, management_url), **options)


@cli.command(short_help="Judge saved histories again, with nothing running.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def judge(files: tuple[Path, ...]) -> int:
    """Judge saved histories again, with nothing running: by the checks of this version, with exit codes as verify.

    FILES are histories (history.jsonl), files of one lane (histories/lane-1.jsonl), or folders: of a run, or of
    a counterexample.
    """
    return _call("judge", files=files)


@cli.command(short_help="Start RabbitMQ and the reference services, to play with.")
@click.option("--provider", type=click.Choice(_PROVIDERS[:3]), default="auto", show_default=True)
@click.option(
    "--walk", is_flag=True, help="Carry the walk-through out: 0 if all came out as expected, else 1."
)
@click.option("--rest", is_flag=True, help="Over HTTP alone, each waiting for the next: without a broker.")
@click.option("--kafka", is_flag=True, help="On Kafka: inventory and analytics, fed by a producer.")
def up(**options: object) -> int:
    """Start RabbitMQ and the services order, inventory and notification, until Ctrl-C.

    Prints where they are, and a walk-through as commands to copy. Some commands are typed here: stop and
    start a service, depth, duplicate, poison, lines, help, quit (with --rest, those that need no queue;
    with --kafka, produce and lag instead of depth and duplicate).
    They may also come from a pipe, whose end ends nothing.
    """
    return _call("up", **options)


@cli.command(short_help="See that the checks bite.")
@click.option("--provider", type=click.Choice(_PROVIDERS[:3]), default="auto", show_default=True)
@click.option("--queue-type", type=click.Choice(["quorum", "classic"]), help="Instead of quorum.")
@click.option(
    "--broker", type=click.Choice(["rabbitmq", "kafka", "http"]), help="Just what is on it; http: on none."
)
@click.option(
    "--only", metavar="NAME,…", help="Just these services; mutants and correct name all of their kind."
)
@click.option(
    "--random", metavar="DURATION", help="Each with nothing but random schedules, for so long, like '60s'."
)
@click.option(
    "--database", metavar="URL", help="A PostgreSQL for services that share one, instead of one of our own."
)
@_report
def selftest(**options: object) -> int:
    """Try services that are wrong on purpose, and correct ones: every mutant must be broken, nothing else."""
    return _call("selftest", **options)


@cli.command(short_help="Measure latencies, and check claims about them.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--judge",
    metavar="CSV",
    type=click.Path(path_type=Path),
    help="Measure nothing; judge these samples (scenario,request,seconds,status).",
)
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to write the report into.  [default: what the file says, or .atleastonce/<time>]",
)
def latency(**options: object) -> int:
    """Carry out the scenarios of FILE, and say of each of its claims whether it is kept or broken.

    FILE is a path, or the name of a file that we ship: part_a (the default: the reference services, one
    order at a time) or original_report (the default of --judge: what the first report said about them).
    """
    return _call("latency", **options)


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line, and exit."""
    keep_hypothesis_in_it()
    try:
        code = cli.main(words, prog_name="atleastonce", standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        code = _WRONG_CALL
    except (KeyboardInterrupt, Cancelled, click.Abort):
        click.echo("interrupted; everything that was started is being ended", err=True)
        code = _INTERRUPTED
    except UsageError as exc:
        click.echo(f"atleastonce: {exc}", err=True)
        code = _WRONG_CALL
    except AtLeastOnceError as exc:
        click.echo(f"atleastonce: {exc}", err=True)
        code = _UNKNOWN
    sys.exit(code if isinstance(code, int) else 0)
