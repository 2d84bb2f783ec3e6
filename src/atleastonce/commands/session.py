"""What every command that judges does around the judging: a lifetime, brokers, and an end on Ctrl-C."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from atleastonce.brokers import Broker, Kind, ProviderName, open_broker, open_brokers
from atleastonce.brokers.broker import Say
from atleastonce.commands.interruption import terminable
from atleastonce.contract import ContractFile
from atleastonce.layout import Site
from atleastonce.lifetimes import Lifetime
from atleastonce.site import laid_out


@dataclass(frozen=True)
class Source:
    """Where brokers come from, as the user said."""

    provider: ProviderName = "auto"
    url: str | None = None
    management_url: str | None = None


@dataclass(frozen=True)
class Session:
    """A lifetime with running brokers in it; `stop` is set once the user wants an end."""

    lifetime: Lifetime
    brokers: dict[Kind, Broker]
    stop: threading.Event

    @contextlib.contextmanager
    def site(self, contract: ContractFile, histories: Path | None = None) -> Iterator[Site]:
        """Lay out the site of a contract on the broker of its kind, where it needs one."""
        broker = next((self.brokers[kind] for kind in contract.contract.brokers), None)
        with laid_out(contract, broker, self.lifetime, self.stop, histories) as site:
            yield site


@contextlib.contextmanager
def session(kinds: Sequence[Kind], source: Source, say: Say) -> Iterator[Session]:
    """Start the brokers, and end whatever was started when the block is left, however that happens.

    Raises BrokerUnavailable, BrokerError or UsageError.
    """
    stop = threading.Event()
    with terminable(stop), Lifetime() as lifetime, _brokers(kinds, source, lifetime, say) as brokers:
        try:
            yield Session(lifetime, brokers, stop)
        finally:
            stop.set()


@contextlib.contextmanager
def _brokers(
    kinds: Sequence[Kind], source: Source, lifetime: Lifetime, say: Say
) -> Iterator[dict[Kind, Broker]]:
    if not kinds:
        yield {}
        return
    if len(kinds) > 1:
        with open_brokers(kinds, lifetime, provider=source.provider, say=say) as brokers:
            yield brokers
        return
    (kind,) = kinds
    opened = open_broker(
        kind,
        lifetime,
        provider=source.provider,
        url=source.url,
        management_url=source.management_url,
        say=say,
    )
    with opened as broker:
        yield {kind: broker}
