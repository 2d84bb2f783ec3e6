"""Runs a service: settings, database, worker and HTTP server, from the first to the last moment."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from campus_food import log as logs
from campus_food.database import TRANSIENT, Database
from campus_food.domain import OPENING_STOCK
from campus_food.settings import SettingError, Settings, common, log_level
from campus_food.web import make_app
from campus_food.worker import Worker

S = TypeVar("S")
D = TypeVar("D", bound=Database)
W = TypeVar("W", bound=Worker)

WRONG_CALL = 2
FAILED = 1

# Seconds that a database which is locked or away is awaited before a service gives up starting.
OPENING = 10.0
OPENING_DELAY = 0.1

# Seconds that an answer under way may take to finish when the service stops.
LAST_ANSWERS = 5

# Seconds that a connection is kept for the next request. Whoever sends one at the very moment when it closes gets
# no answer, so it does not close between two requests that follow each other.
KEPT = 75

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """Which service it is: its name, and the port and the stock that it has where none is set."""

    name: str
    port: int
    opening_stock: Mapping[str, int] = field(default_factory=lambda: OPENING_STOCK)


ORDER = Kind("order", 8000)
INVENTORY = Kind("inventory", 8001)
NOTIFICATION = Kind("notification", 8002)


def run(
    kind: Kind,
    read: Callable[[Mapping[str, str]], S],
    make_worker: Callable[[S, D], W],
    database: type[D],
    routes: Callable[[D, W], Sequence[Route]],
) -> None:
    """Serve until SIGTERM or SIGINT; ends the process if settings are wrong or the worker fails.

    `read` takes from the environment what `make_worker` needs beyond the settings that every service has.
    """
    try:
        logs.configure(log_level(os.environ))
        settings, own = common(os.environ, kind.name, kind.port, kind.opening_stock), read(os.environ)
    except SettingError as error:
        log.error("Cannot start: %s", error)  # noqa: TRY400 - the sentence says all, a traceback would hide it
        sys.exit(WRONG_CALL)
    store = _open(database, settings)
    worker = make_worker(own, store)
    try:
        _serve(settings, make_app(worker, routes(store, worker)), worker)
    finally:
        worker.stop()
        store.close()
    sys.exit(FAILED if worker.failed else 0)


def _serve(settings: Settings, app: Starlette, worker: Worker) -> None:
    """Answer HTTP while the worker works; returns when either is to end."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            timeout_keep_alive=KEPT,
            timeout_graceful_shutdown=LAST_ANSWERS,
        )
    )

    def end(*_: object) -> None:
        server.should_exit = True

    # uvicorn sets handlers of its own and, when it has ended, raises the signal again for the earlier ones.
    # These make that harmless, so that the worker can finish; they also hold before uvicorn is up.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    worker.start(on_failure=end)
    server.run()


def _open(database: type[D], settings: Settings) -> D:
    deadline = time.monotonic() + OPENING
    while True:
        try:
            return database.open(settings)
        except TRANSIENT as error:
            if time.monotonic() > deadline:
                log.error("Cannot start: DATABASE_URL: %s", error)  # noqa: TRY400 - as above
                sys.exit(FAILED)
            time.sleep(OPENING_DELAY)
