"""Where lanes are laid: what the lanes of one run have in common."""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from atleastonce.contract import ContractFile
from atleastonce.readership import Extent
from atleastonce.relay.codec import Names, Wire
from atleastonce.relay.tcp import Address
from atleastonce.transports import Namespace


@dataclass(frozen=True)
class Site:
    """Where lanes are laid: one broker, one contract, one run. Its functions know the kind of broker."""

    contract: ContractFile
    upstream: Address | None
    """The broker; None where messages go from service to service over HTTP alone."""
    namespace: Callable[[str], Namespace]
    wire: Callable[[Names, Callable[[str, int], Address]], Wire]
    directory: Callable[[str], Path]
    environment: Callable[[dict[str, str]], dict[str, str]]
    canary: tuple[str, ...]
    lanes: int | None
    """How many lanes can be laid side by side; None for any number."""
    settings: Mapping[str, str]
    histories: Path | None
    """Where histories are kept, one file per lane; None keeps none."""
    stop: threading.Event
    """Set when the run shall end; every wait asks."""
    restart: Callable[[], None] | None
    """Restarts the broker, for everybody; None where that is not ours to do."""
    run: str = field(default_factory=lambda: secrets.token_hex(8))
    """What no other run is called: a database of the service may remember the ids of an earlier one."""
    ids: set[bytes] = field(default_factory=set)
    """The ids of all its cases, in whichever lane: what carries one belongs there, also where a database outlives
    a lane."""
    extent: Extent = field(default_factory=Extent)
    """To how much the services subscribe in every lane."""
