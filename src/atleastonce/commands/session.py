"""What every command that judges does around the judging: lifetime, broker, interrupts, report."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

from atleastonce.brokers import Broker, Kind, ProviderName, open_brokers
from atleastonce.contract import ContractFile
from atleastonce.lifetimes import Lifetime
from atleastonce.site import laid_out
from atleastonce.lane import Site


@dataclass(frozen=True)
class Source:
    """Where brokers come from, as the user said."""

    provider: ProviderName = "auto"
    url: str | None = None
    management_url: str | None = None


@dataclass(frozen=True)
class Session:
    """A lifetime with brokers in it, until the user interrupts."""

    lifetime: Lifetime
    brokers: dict[Kind, Broker]
    stop: threading.Event

    @contextlib.contextmanager
    def site(self, contract: ContractFile) -> Iterator[Site]:
        """Lay out the site of a contract on the broker of its kind."""
        with laid_out(contract, self.brokers[contract.contract.broker.kind], self.lifetime, self.stop) as site:
            yield site
