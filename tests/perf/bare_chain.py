"""Three bare Starlette services in a row, to compare the reference with: they pass an order on, and do nothing.

Called with its own port and the addresses of the services that it asks one after the other. The libraries, threads
and connections are those of the reference; there is no database, no retry, no check and no log.
"""

import json
import sys

import urllib3
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

OWN_PORT, *PEERS = sys.argv[1:]
POOLS = [urllib3.connection_from_url(peer, maxsize=10, retries=False) for peer in PEERS]


def pass_on(body: bytes) -> None:
    """Ask each of the others, and wait for it."""
    for pool in POOLS:
        pool.urlopen("POST", "/order", body=body, headers={"Content-Type": "application/json"})


async def take(request: Request) -> Response:
    """Take an order."""
    body = await request.body()
    asked = json.loads(body)
    if POOLS:
        await run_in_threadpool(pass_on, body)
    return JSONResponse({"status": "success", "order_id": "", **asked})


uvicorn.run(
    Starlette(routes=[Route("/order", take, methods=["POST"])]),
    port=int(OWN_PORT),
    lifespan="off",
    log_config=None,
    access_log=False,
    ws="none",
)
