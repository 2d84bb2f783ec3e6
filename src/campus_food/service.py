"""Runs a service: settings, database, worker and HTTP server, from the first to the last moment."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import sqlalchemy as sa
import uvicorn

from campus_food import log as logs
from campus_food.schema import open_engine
from campus_food.settings import SettingError, Settings, common
from campus_food.store import TRANSIENT, Store
from campus_food.web import make_app
from campus_food.worker import Worker

S = TypeVar("S")

WRONG_CALL = 2
FAILED = 1

# Seconds that a database which is locked or away is awaited before a service gives up starting.
OPENING = 10.0
OPENING_DELAY = 0.1

# Seconds that an answer under way may take to finish when the service stops.
LAST_ANSWERS = 5

log = logging.getLogger(__name__)


def run(
    read: Callable[[Mapping[str, str]], S],
    make_worker: Callable[[S, Store], Worker],
    make_store: Callable[[sa.Engine], Store],
) -> None:
    """Serve until SIGTERM or SIGINT; ends the process if settings are wrong or the worker fails.

    `read` takes from the environment what `make_worker` needs beyond the settings that every service has.
    """
    logs.configure()
    try:
        settings, own = common(os.environ), read(os.environ)
    except SettingError as error:
        log.error("Cannot start: %s", error)  # noqa: TRY400 - the sentence says all, a traceback would hide it
        sys.exit(WRONG_CALL)
    store = make_store(_open(settings))
    worker = make_worker(own, store)
    try:
        _serve(settings, store, worker)
    finally:
        worker.stop()
        store.close()
    sys.exit(FAILED if worker.failed else 0)


def _serve(settings: Settings, store: Store, worker: Worker) -> None:
    """Answer HTTP while the worker works; returns when either is to end."""
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(store, worker),
            host=settings.host,
            port=settings.port,
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
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


def _open(settings: Settings) -> sa.Engine:
    deadline = time.monotonic() + OPENING
    while True:
        try:
            return open_engine(settings.database_url, settings.opening_stock)
        except TRANSIENT as error:
            if time.monotonic() > deadline:
                log.error("Cannot start: DATABASE_URL: %s", error)  # noqa: TRY400 - as above
                sys.exit(FAILED)
            time.sleep(OPENING_DELAY)
