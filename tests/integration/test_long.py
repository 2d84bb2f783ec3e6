"""What only shows in bulk: a backlog drained through many kills, a broker that is restarted again and again."""

import random
from pathlib import Path

import pytest

from atleastonce.contract_file import load
from atleastonce.lane import Lane
from atleastonce.lifetimes import Lifetime
from atleastonce.schedule import Action, Message, Schedule, Trap, When, publish
from atleastonce.site import laid_out
from atleastonce.workshop import Workshop

pytestmark = [pytest.mark.provider("native"), pytest.mark.timeout(900)]

CONTRACT = Path(__file__).parents[2] / "src" / "campus_food" / "contracts" / "rabbitmq.toml"
WHEN: tuple[When, ...] = ("before", "after")
EVENTS = ("deliver", "publish", "confirm", "ack")
SEED = 20261124


@pytest.fixture
def size(thorough: bool) -> tuple[int, int]:
    """Give how many orders wait, and how often the service is killed."""
    return (20_000, 20) if thorough else (1_000, 5)


def drained(lane: Lane, orders: int, kills: int) -> None:
    """Publish a backlog while the service is down, then kill it at random events of random orders."""
    dice = random.Random(SEED)  # noqa: S311 - for variety, not for secrecy
    body = load(CONTRACT).contract.input.message
    names = [f"m{n}" for n in range(1, orders + 1)]
    lane.begin("drain", Schedule(messages={name: Message(id=name, body=body) for name in names}))
    (part,) = lane.parts
    part.stop()
    for name in names:
        assert lane.publish(name) is None
    part.spawn()
    step = orders // (kills + 1)
    for kill in range(kills):
        target = names[kill * step + dice.randrange(step)]
        when, event = dice.choice(WHEN), dice.choice(EVENTS)
        lane.arm((Trap(when=when, event=event, message=target, do="kill"),))
        assert lane.record.await_(lambda: part.down, 120), (kill, target, event, part.subject.tail())
        part.bury()
        part.spawn()
    seen = lane.readership
    assert lane.record.await_(lambda: part.subscribed and not lane.namespace.depth(seen.subscriptions), 300)
    part.await_ready()


def test_backlog_drained_through_kills(
    rabbitmq, atleastonce_lifetime: Lifetime, no_stop, size: tuple[int, int]
) -> None:
    """Nothing is lost, nothing doubled, the stock is exact, and no innocent is dead-lettered."""
    orders, kills = size
    with laid_out(load(CONTRACT), rabbitmq, atleastonce_lifetime, no_stop) as site:
        lane = Lane(site, "long").open()
        try:
            address = lane.parts[0].runtime["port"]
            before = lane._observer.get(f"http://127.0.0.1:{address}/stock")["burger"]
            drained(lane, orders, kills)
            outputs: set[str] = set()

            def all_out() -> bool:
                outputs.update(letter.properties["message_id"] for letter in lane.outputs())
                return len(outputs) >= orders

            assert lane.record.await_(all_out, 60), len(outputs)
            after = lane._observer.get(f"http://127.0.0.1:{address}/stock")["burger"]
            assert (before - after, len(outputs)) == (orders, orders)
            assert lane.namespace.dead_letters() == []
        finally:
            lane.close()


@pytest.mark.restarts_broker
def test_broker_restarted_during_work(
    rabbitmq, atleastonce_lifetime: Lifetime, no_stop, size: tuple[int, int]
) -> None:
    """The service recovers each time, behind the same address of the relay, and no confirmed order is lost."""
    contract, times = load(CONTRACT), size[1] // 2
    body = contract.contract.input.message
    messages = {f"m{n}": Message(id=f"o{n}", body=body) for n in range(1, 3 * times + 1)}
    names = list(messages)
    steps: list[Action] = []
    for number in range(times):
        steps += [*publish(*names[3 * number : 3 * number + 3]), Action(restart="broker")]
    schedule = Schedule(messages=messages, actions=tuple(steps))
    with laid_out(contract, rabbitmq, atleastonce_lifetime, no_stop) as site, Workshop(site) as workshop:
        judged = workshop.carry_out(schedule)
    outcomes = {name: judged.verdicts[name].outcome for name in ("nothing-lost", "recovers")}
    assert outcomes == {"nothing-lost": "kept", "recovers": "kept"}, judged.verdicts
    assert sum(event.event == "broker-restarted" for event in judged.history.events) == times
