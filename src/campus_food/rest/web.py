"""How the services of the synchronous chain take requests: read, checked, and only then worked on."""

import asyncio
from collections.abc import Awaitable, Callable

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from campus_food.messages import BadMessage, OrderRequest, parse_request
from campus_food.rest import faults
from campus_food.rest.calls import Answer, Call, Calls, new_call
from campus_food.rest.peer import AT_ONCE
from campus_food.rest.seen import Seeing
from campus_food.web import document, problem, unknown
from campus_food.web_order import AGAIN, KEY, given_key, read_body, read_key, refusal

HERE = ("",)
NOWHERE = ()

# The parameters of `POST /order`: plain ones go to inventory, those that begin so to notification.
TO_INVENTORY = ""
TO_NOTIFICATION = "notification_"

Handle = Callable[[Request], Awaitable[Response]]
Check = Callable[[bytes, str], None]
Work = Callable[[bytes, str, bool], Response]


def work_route(path: str, store: Seeing, check: Check, work: Work, *, permitted: bool) -> Route:
    """Take requests under an idempotency key, with faults where they are permitted.

    `check` raises what `work` would raise for a request that is to be refused: before a fault is carried out, and
    counted. `work` gets the body, the key, and whether the request was counted already. Both are called in threads.
    """

    async def handle(request: Request) -> Response:
        wanted = faults.read(request.query_params.multi_items(), permitted=permitted)[""]
        body, key = await read_body(request), _needed_key(request)
        if wanted.query:
            await run_in_threadpool(check, body, key)
            times = await run_in_threadpool(store.see, key)
            await asyncio.sleep(wanted.delay)
            if wanted.fails(times):
                return problem(wanted.fail, "Injected failure", f"the query says {wanted.query}")
        return await run_in_threadpool(work, body, key, bool(wanted.query))

    return Route(path, _answering(handle), methods=["POST"])


def plain_route(path: str, work: Callable[[bytes, str], Response]) -> Route:
    """Take requests under an idempotency key, without faults."""

    async def handle(request: Request) -> Response:
        faults.read(request.query_params.multi_items(), permitted=False, prefixes=NOWHERE)
        body, key = await read_body(request), _needed_key(request)
        return await run_in_threadpool(work, body, key)

    return Route(path, _answering(handle), methods=["POST"])


def seen_route(store: Seeing) -> Route:
    """Show how many requests came under a key."""

    def attempts(request: Request) -> Response:
        key = request.path_params["key"]
        return JSONResponse({"key": key, "attempts": store.seen(key)})

    return Route("/attempts/{key:path}", attempts)


def order_routes(store: Calls, place: Callable[[Call], Answer], *, permitted: bool) -> list[Route]:
    """Take orders, and show them."""
    # Threads of their own: an order that waits for the other services keeps nobody from looking.
    threads = CapacityLimiter(AT_ONCE)

    async def take(request: Request) -> Response:
        faults.read(
            request.query_params.multi_items(),
            permitted=permitted,
            prefixes=(TO_INVENTORY, TO_NOTIFICATION),
        )
        asked, key = parse_request(await read_body(request)), read_key(request)
        answer = await run_sync(place, new_call(asked, key, request.url.query), limiter=threads)
        if "title" in answer.content:
            return document(answer.content)
        return JSONResponse(answer.content, status_code=answer.status)

    def order(request: Request) -> Response:
        order_id = request.path_params["order_id"]
        found = store.call(order_id)
        return unknown("order", order_id) if found is None else JSONResponse(_shown(found))

    return [Route("/order", _answering(take), methods=["POST"]), Route("/orders/{order_id:path}", order)]


def _shown(call: Call) -> dict[str, object]:
    asked: OrderRequest = call.asked
    status = None if call.answer is None else call.answer.status
    return {"order_id": call.order_id, "user_id": asked.user_id, "items": asked.items, "answered": status}


def _needed_key(request: Request) -> str:
    key = given_key(request)
    if key is None:
        raise BadMessage(KEY, "expected in the header; a request without it could not be repeated")
    return key


def _answering(handle: Handle) -> Handle:
    """Answer for whatever goes wrong; what has no answer is raised again."""

    async def answer(request: Request) -> Response:
        try:
            return await handle(request)
        except faults.Forbidden as error:
            return problem(403, "Fault injection is off", str(error))
        except asyncio.CancelledError:
            # The service stops, and had no more time; there is nobody to pass this on to.
            return problem(503, "Stopping", AGAIN)
        except Exception as error:  # noqa: BLE001 - as the docstring says
            return refusal(error)

    return answer
