"""Three bare Starlette services in a row, to compare the reference with: they pass an order on, and do nothing.

Called with the client to ask with, its own port, and the addresses of the services that it asks one after the other.
`httpx` is what is usually written; `urllib3`, in threads, is what the reference does, since it costs less. There is
no database, no retry, no check and no log.
"""

import json
import sys
from collections.abc import Awaitable, Callable, Sequence

import httpx
import urllib3
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CLIENT, OWN_PORT, *PEERS = sys.argv[1:]
JSON = {"Content-Type": "application/json"}

PassOn = Callable[[bytes], Awaitable[None]]


def with_httpx(peers: Sequence[str]) -> PassOn:
    """Ask from a coroutine."""
    client = httpx.AsyncClient()

    async def pass_on(body: bytes) -> None:
        for peer in peers:
            await client.post(f"{peer}/order", content=body, headers=JSON)

    return pass_on


def with_urllib3(peers: Sequence[str]) -> PassOn:
    """Ask from a thread."""
    pools = [urllib3.connection_from_url(peer, maxsize=10, retries=False) for peer in peers]

    def ask(body: bytes) -> None:
        for pool in pools:
            pool.urlopen("POST", "/order", body=body, headers=JSON)

    async def pass_on(body: bytes) -> None:
        await run_in_threadpool(ask, body)

    return pass_on


PASS_ON = {"httpx": with_httpx, "urllib3": with_urllib3}[CLIENT](PEERS)


async def take(request: Request) -> Response:
    """Take an order, and wait for each of the others."""
    body = await request.body()
    asked = json.loads(body)
    if PEERS:
        await PASS_ON(body)
    return JSONResponse({"status": "success", "order_id": "", **asked})


uvicorn.run(
    Starlette(routes=[Route("/order", take, methods=["POST"])]),
    port=int(OWN_PORT),
    lifespan="off",
    log_config=None,
    access_log=False,
    ws="none",
)
