"""A service that ends just as the broker is within its reach again: it is started again, and then asked."""

import pytest

from atleastonce.schedule import Action, Message, Schedule, publish

pytestmark = pytest.mark.provider("native")


def test_a_service_that_ends_while_its_health_is_awaited_is_started_again(subject, campus):
    """What it consumes first, once it can, ends it, five times; nobody could say that it is healthy meanwhile."""
    given = campus("rabbitmq")
    contract = given.contract
    (deadly,) = (n for n, kind in enumerate(contract.poison) if kind.name == "handling-crashes")
    messages = {"m1": Message(id="o1", body=contract.input.message), "p1": Message(id="o2", poison=deadly)}
    away = (Action(isolate="inventory"), *publish("p1"), Action(mend="inventory"))
    schedule = Schedule(messages=messages, actions=(*publish("m1"), *away))
    (judged,) = subject(given).replay(schedule)
    assert [event.event for event in judged.history.events].count("exit") > 1
    outcomes = {name: judged.verdicts[name].outcome for name in ("tells-health", "poison-set-aside")}
    assert outcomes == {"tells-health": "kept", "poison-set-aside": "kept"}, judged.verdicts
