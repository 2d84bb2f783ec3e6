"""The thread on which the relays of one lane run: one event loop, so that what passes has one order."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from atleastonce.relay.memory import keep_freed

T = TypeVar("T")

_CALL_WITHIN = 10.0


class Loop:
    """An asyncio loop (`events`) in a thread of its own; a context manager that ends it."""

    def __init__(self, name: str) -> None:
        self.failure: BaseException | None = None
        self.events = asyncio.new_event_loop()
        self.events.set_exception_handler(self._failed)
        self._thread = threading.Thread(target=self.events.run_forever, name=name, daemon=True)

    def __enter__(self) -> Self:
        keep_freed()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.events.call_soon_threadsafe(self.events.stop)
        self._thread.join()
        self.events.close()

    # -- for other threads

    def call(self, what: Callable[[], T]) -> T:
        """Run a function on the loop's thread and return its result."""

        async def on_loop() -> T:
            return what()

        return self.run(on_loop(), within=_CALL_WITHIN)

    def run(self, what: Coroutine[Any, Any, T], within: float) -> T:
        """Run a coroutine on the loop and return its result; raise TimeoutError after `within` seconds."""
        return asyncio.run_coroutine_threadsafe(what, self.events).result(within)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:  # noqa: ARG002
        """Keep the first failure of our own: the case it happened in is unknown, not judged."""
        self.failure = self.failure or context.get("exception") or RuntimeError(context["message"])
