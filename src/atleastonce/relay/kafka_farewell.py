"""The last words for a dead subject: its members leave their groups, its open transactions are aborted."""

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from typing import Any

from kio.schema.consumer_group_heartbeat.v0.request import ConsumerGroupHeartbeatRequest
from kio.schema.end_txn.v1.request import EndTxnRequest
from kio.schema.errors import ErrorCode
from kio.schema.leave_group.v3.request import LeaveGroupRequest, MemberIdentity
from kio.schema.types import GroupId, ProducerId, TransactionalId
from kio.static.primitive import i16, i32, i32Timedelta

from atleastonce.history import Event
from atleastonce.relay.codec import Connection
from atleastonce.relay.kafka_protocol import read_response, write_request
from atleastonce.relay.kafka_state import LEAVES, Member, Shared, Transaction

_PATIENCE = 3.0
_PAUSE = 0.02

_RETRIED = {
    ErrorCode.coordinator_load_in_progress,
    ErrorCode.coordinator_not_available,
    ErrorCode.not_coordinator,
    ErrorCode.concurrent_transactions,
}
"""Refusals that pass by themselves: the coordinator has just started, or still ends a transaction."""

_GONE = {
    ErrorCode.none,
    ErrorCode.unknown_member_id,
    ErrorCode.group_id_not_found,
    ErrorCode.invalid_txn_state,
    ErrorCode.invalid_producer_epoch,
    ErrorCode.producer_fenced,
    ErrorCode.invalid_producer_id_mapping,
}
"""Answers after which the broker waits for nobody: it was done now, or had been before."""


async def farewell(
    shared: Shared, connect: Callable[[], Awaitable[Connection]], *, for_good: bool
) -> tuple[Event, ...]:
    """Say goodbye for every member and transaction, and forget them; raise TransportError.

    One connection, to the broker that the subject was given: on several nodes a member whose coordinator is
    another one stays (``not_coordinator``, an event that is not `ok`). A static member of a classic group stays unless
    it is `for_good`, since its successor takes its place at once.
    """
    members = {key: member for key, member in shared.members.items() if for_good or not member.instance}
    transactions = dict(shared.transactions)
    for key in members:
        del shared.members[key]
    for name in transactions:
        shared.forsake(name)
    if not members and not transactions:
        return ()
    connection = await connect()
    try:
        aborted = [await _abort(connection, *each) for each in transactions.items()]
        left = [await _leave(connection, group, name, member) for (group, name), member in members.items()]
    finally:
        connection.close()
    return (*aborted, *left)


async def _leave(connection: Connection, group: str, name: str, member: Member) -> Event:
    request = (
        _heartbeat(group, name)
        if member.consumer_protocol
        else _leaving(group, name, member.instance or None)
    )
    error = await _asked(connection, request)
    return Event(event="left", side="runner", group=group, ok=error in _GONE, note=f"{name} {error.name}")


async def _abort(connection: Connection, name: str, transaction: Transaction) -> Event:
    request = EndTxnRequest(
        transactional_id=TransactionalId(name),
        producer_id=ProducerId(transaction.producer),
        producer_epoch=i16(transaction.epoch),
        committed=False,
    )
    error = await _asked(connection, request)
    return Event(event="left", side="runner", ok=error in _GONE, note=f"transaction {name} {error.name}")


def _leaving(group: str, member: str, instance: str | None) -> LeaveGroupRequest:
    # By its instance alone, as an administrator removes it: a name that is no longer its own would be refused.
    identity = MemberIdentity(member_id="" if instance else member, group_instance_id=instance)
    return LeaveGroupRequest(group_id=GroupId(group), members=(identity,))


def _heartbeat(group: str, member: str) -> ConsumerGroupHeartbeatRequest:
    return ConsumerGroupHeartbeatRequest(
        group_id=GroupId(group),
        member_id=member,
        member_epoch=i32(LEAVES),
        instance_id=None,
        rebalance_timeout=i32Timedelta.parse(dt.timedelta(milliseconds=-1)),
        topic_partitions=None,
    )


async def _asked(connection: Connection, request: Any) -> ErrorCode:
    """Ask until the broker can tell, at most for `_PATIENCE` seconds."""
    until = time.monotonic() + _PATIENCE
    while True:
        frame = await connection.ask(write_request(request, 1))
        answer = read_response(frame, request.__api_key__, request.__version__)
        error: ErrorCode = answer.error_code
        if error not in _RETRIED or time.monotonic() > until:
            return next((m.error_code for m in getattr(answer, "members", ()) if m.error_code), error)
        await asyncio.sleep(_PAUSE)
