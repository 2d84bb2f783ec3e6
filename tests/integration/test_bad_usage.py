"""Whatever is wrong with a call or a contract is one clear sentence, exit code 2, and no traceback."""

from pathlib import Path

import pytest
from running import called

GOOD = """
[service]
command = "python -m campus_food.rabbitmq.inventory"
ready = "http://127.0.0.1:{port}/health"
env = { AMQP_URL = "{amqp_url}", DATABASE_URL = "sqlite:///{data_dir}/x.db", PORT = "{port}" }
[broker]
kind = "rabbitmq"
[input]
queue = "inventory_order_placed"
message = '{"message_id": "{message_id}", "order_id": "{id}", "user_id": "u", "items": {"burger": 1}}'
[output]
queues = ["notification_inventory_reserved"]
[promises]
nothing-lost = true
"""

WRONG = {
    "wrong type": ('kind = "rabbitmq"', "kind = 5", ["broker.kind", "5", "rabbitmq", "kafka"]),
    "unknown key": ("command =", "comand =", ["service.comand", "no such key", "command"]),
    "unknown promise": (
        "nothing-lost",
        "nothing-lots",
        ["promises.nothing-lots", "no such promise", "nothing-lost"],
    ),
    "unknown placeholder": ("{amqp_url}", "{amqp}", ["service.env.AMQP_URL", "{amqp}", "{amqp_url}"]),
    "no duration": (
        'ready = "',
        'ready_within = "soon"\nready = "',
        ["service.ready_within", "soon", "30s"],
    ),
    "no TOML": ("[broker]", "[broker", ["TOML", "line"]),
    "does not start": (
        "python -m campus_food.rabbitmq.inventory",
        "no-such-program",
        ["service.command", "no-such-program", "name one in PATH"],
    ),
    "no definitions": (
        'kind = "rabbitmq"',
        'kind = "rabbitmq"\ndefinitions = "topology.json"',
        ["broker.definitions", "topology.json"],
    ),
    "ends at once": (
        "python -m campus_food.rabbitmq.inventory",
        "python -c 'print(1/0)'",
        ["did not get ready", "exit code 1", "ZeroDivisionError"],
    ),
    "never ready": (
        '"python -m campus_food.rabbitmq.inventory"',
        '"python -c \'import signal; signal.pause()\'"\nready_within = "1s"',
        ["was not ready within 1 s", "/health", "ready_within"],
    ),
    "no health there": (
        'ready = "http://127.0.0.1:{port}/health"',
        'ready = "http://127.0.0.1:{port}/health"\nready_within = "3s"\nhealth = "http://127.0.0.1:{port}/healthz"',
        ["service.health", "/healthz", "it answers 404", "leave this out"],
    ),
    "nobody tells health": (
        'ready = "http://127.0.0.1:{port}/health"',
        'ready = "http://127.0.0.1:{port}/health"\nready_within = "3s"\nhealth = "http://127.0.0.1:1/health"',
        ["service.health", "127.0.0.1:1/health", "nothing answers there", "leave this out"],
    ),
    "no such queue": (
        "notification_inventory_reserved",
        "nobody_declares_this",
        ["output.queues", "'nobody_declares_this'", "does not exist"],
    ),
}


def said(folder: Path, *words: str) -> str:
    """Call the command line wrongly and return the one sentence that it says."""
    done = called(*words, cwd=folder)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_contract_is_one_sentence(tmp_path, name):
    """It names the key, what was found, and what is expected."""
    old, new, expected = WRONG[name]
    text = GOOD.replace(old, new)
    assert text != GOOD
    (tmp_path / "atleastonce.toml").write_text(text)
    sentence = said(tmp_path, "verify", "--provider", "native")
    for part in expected:
        assert part in sentence


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["verify", "nowhere.toml"], ["nowhere.toml", "No such file"]),
        (["verify", "empty"], ["empty/atleastonce.toml", "No such file"]),
        (["verify", "binary"], ["binary", "no text"]),
        (["verify", "--explore", "crahs"], ["--explore", "crahs", "did you mean", "crash"]),
        (["verify", "--budget", "long"], ["--budget", "'long'"]),
        (["verify", "--messages", "0"], ["--messages", "0"]),
        (["verify", "--provider", "external"], ["external", "address"]),
        (["verify", "--provider", "external", "--url", "amqp://127.0.0.1:1"], ["127.0.0.1", "1"]),
        (["verify", "--queue-type", "classic"], ["--queue-type", "{queue_type}"]),
        (["verify", "--report", "binary/report"], ["binary/report", "--report"]),
        (["replay", "nowhere"], ["nowhere", "schedule"]),
        (["replay", "."], ["schedule.json", "No such file"]),
        (["verfy"], ["verfy"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value[0].startswith("v") else None,
)
def test_a_wrong_call_is_one_sentence(tmp_path, words, expected):
    """It says what was found and what to do."""
    (tmp_path / "atleastonce.toml").write_text(GOOD)
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    sentence = said(tmp_path, *words)
    for part in expected:
        assert part in sentence
