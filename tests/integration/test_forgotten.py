"""A broker that is just back may name no broker, itself included: librdkafka then forgets the way to it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from atleastonce.contract_file import load
from atleastonce.relay.kafka_protocol import Api
from atleastonce.relay.kafka_rewrite import rewritten
from atleastonce.schedule import Action, Message, Schedule, publish
from atleastonce.site import laid_out
from atleastonce.workshop import Workshop

pytestmark = [pytest.mark.provider("native"), pytest.mark.timeout(300)]

CONTRACT = Path(__file__).parents[2] / "src" / "campus_food" / "contracts" / "kafka.toml"


class Forgetful:
    """Has the second answer about each topic behind `begin` name no broker, as while one takes its place again."""

    def __init__(self) -> None:
        self._answers: Counter[str] | None = None
        self.empty = 0

    def begin(self) -> None:
        """Count answers from here."""
        self._answers = Counter()

    def rewritten(self, api: int, payload: Any, address_for: Any) -> Any:
        """Change an answer as the relay does, or more."""
        changed = rewritten(api, payload, address_for)
        if self._answers is None or api != Api.METADATA or not payload.topics:
            return changed
        topic = str(payload.topics[0].name)
        self._answers[topic] += 1
        if self._answers[topic] != 2:
            return changed
        self.empty += 1
        return replace(payload, brokers=())


def test_a_client_that_forgot_its_brokers_is_made_anew(
    kafka, atleastonce_lifetime, no_stop, monkeypatch
) -> None:
    """Its links are cut, the first answer stops the search for brokers, the second one takes all of them away."""
    forgetful = Forgetful()
    monkeypatch.setattr("atleastonce.relay.kafka.rewritten", forgetful.rewritten)
    contract = load(CONTRACT)
    body = contract.contract.input.message
    messages = {name: Message(id=name, body=body) for name in ("m1", "m2")}
    cut = (*publish("m1"), Action(wait="1s"), Action(cut="inventory"), Action(wait="3s"), *publish("m2"))
    with laid_out(contract, kafka, atleastonce_lifetime, no_stop) as site, Workshop(site) as workshop:
        # The clean runs are not to be disturbed.
        workshop.calm(Schedule(messages=messages, actions=publish("m1", "m2")))
        forgetful.begin()
        judged = workshop.carry_out(Schedule(messages=messages, actions=cut))
    assert forgetful.empty
    outcomes = {name: judged.verdicts[name].outcome for name in ("nothing-lost", "recovers")}
    assert outcomes == {"nothing-lost": "kept", "recovers": "kept"}, judged.verdicts
