"""The contract file: what is right is read whole, what is wrong is one sentence."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from atleastonce.contract import (
    BrokerTable,
    Contract,
    Input,
    Observe,
    OutputTable,
    Poison,
    Replay,
    Service,
    Topic,
)
from atleastonce.contract_file import load, parse
from atleastonce.durations import Duration
from atleastonce.errors import ContractError
from atleastonce.promises import PROMISES, BacksOff, Options, PoisonSetAside, Within

WHOLE = """
[service]
command   = "python -m campus_food.rabbitmq.inventory"
ready     = "http://127.0.0.1:{port}/health"
ready_within = "10s"
health    = "http://127.0.0.1:{port}/health"
instances = 1
reset     = "fresh-ids"
env       = { AMQP_URL = "{amqp_url}", DATABASE_URL = "sqlite:///{data_dir}/inventory.db", PORT = "{port}" }

[broker]
kind = "rabbitmq"
definitions = "definitions.json"

[topics]
orders = { partitions = 4 }

[input]
queue      = "inventory_order_placed"
message    = '{"message_id": "{message_id}", "order_id": "{id}", "user_id": "u1", "items": {"burger": 1}}'
properties = { message_id = "{message_id}", content_type = "application/json" }
headers    = {}

[output]
queues       = ["notification_inventory_reserved", "notification_inventory_failed"]
id           = "message_id"
dead_letters = "inventory_dlq"

[[poison]]
name = "not-json"
body = '{"order_id": "poison", "invalid": json}'

[observe]
http    = ["http://127.0.0.1:{port}/reservations/{id}", "http://127.0.0.1:{port}/stock"]
ignore  = ["$.updated_at"]
settles = "1s"

[progress]
by = "commit"

[replay]
report = "http://127.0.0.1:{port}/report"
vary   = ["PYTHONHASHSEED", "TZ"]

[promises]
effects-once     = true
nothing-lost     = true
poison-set-aside = { attempts = 5 }
backlog-drains   = { within = "30s" }
backs-off        = { attempts = 3, schedule = ["0.5s", "1s"], jitter = 0.0, tolerance = "50ms" }
"""

SMALL = """
[service]
command = "run"
[broker]
kind = "rabbitmq"
[input]
queue = "in"
message = '{"id": "{id}"}'
[promises]
nothing-lost = true
"""

KAFKA = """
topics = { orders = {} }
[service]
command = "run"
env = { TOPIC = "{topic:orders}" }
[broker]
kind = "kafka"
[input]
topic = "orders"
message = "{id}"
[promises]
nothing-lost = true
"""


def test_whole_example_is_read() -> None:
    """The documented example says exactly what it looks like."""
    promises = parse(WHOLE).promises
    assert msgspec.structs.replace(parse(WHOLE), promises={}) == Contract(
        service=Service(
            command="python -m campus_food.rabbitmq.inventory",
            ready="http://127.0.0.1:{port}/health",
            ready_within=Duration(10),
            health="http://127.0.0.1:{port}/health",
            env={
                "AMQP_URL": "{amqp_url}",
                "DATABASE_URL": "sqlite:///{data_dir}/inventory.db",
                "PORT": "{port}",
            },
        ),
        broker=BrokerTable(kind="rabbitmq", definitions="definitions.json"),
        topics={"orders": Topic(partitions=4)},
        input=Input(
            queue="inventory_order_placed",
            message='{"message_id": "{message_id}", "order_id": "{id}", "user_id": "u1", '
            '"items": {"burger": 1}}',
            properties={"message_id": "{message_id}", "content_type": "application/json"},
        ),
        output=OutputTable(
            queues=("notification_inventory_reserved", "notification_inventory_failed"),
            id="message_id",
            dead_letters="inventory_dlq",
        ),
        poison=(Poison(name="not-json", body='{"order_id": "poison", "invalid": json}'),),
        observe=Observe(
            http=("http://127.0.0.1:{port}/reservations/{id}", "http://127.0.0.1:{port}/stock"),
            ignore=("$.updated_at",),
            settles=Duration(1),
        ),
        replay=Replay(report="http://127.0.0.1:{port}/report", vary=("PYTHONHASHSEED", "TZ")),
    )
    assert list(promises) == [
        "effects-once", "nothing-lost", "poison-set-aside", "backlog-drains", "backs-off",
    ]  # fmt: skip


def test_promises_have_their_options() -> None:
    """`true` means the default options; a promise that is `false` is not made."""
    text = WHOLE.replace("nothing-lost     = true", "nothing-lost = false\nrecovers = true")
    assert parse(text).promised == {
        "effects-once": Options(),
        "recovers": Within(),
        "poison-set-aside": PoisonSetAside(attempts=5),
        "backlog-drains": Within(within=Duration(30)),
        "backs-off": BacksOff(attempts=3, schedule=(Duration(0.5), Duration(1)), tolerance=Duration(0.05)),
    }


def test_chain_has_its_services_by_name() -> None:
    """A single service is called ``service``, those of a chain have names of their own."""
    chain = SMALL.replace("[service]", "[services.a]")
    assert (list(parse(SMALL).all_services), list(parse(chain).all_services)) == (["service"], ["a"])


def test_same_text_has_the_same_hash(tmp_path: Path) -> None:
    """A contract is identified by its text, wherever it lies."""
    for name in ("one.toml", "two.toml"):
        (tmp_path / name).write_text(SMALL)
    first, second = load(tmp_path / "one.toml"), load(tmp_path / "two.toml")
    assert first.sha256 == second.sha256
    assert first.sha256.startswith("sha256:")


A_DURATION = 'a duration: a number and ms, s, m or h, like "30s"'
IN_MESSAGES = "{id}, {message_id}, {n}, {pad:NUMBER}"
A_MESSAGE = "the message to send, with {id} for its identity"
AN_ADDRESS = "expected a method and an address: POST http://127.0.0.1:{port}/order"
EVERYWHERE = "{port}, {data_dir}, {lane}, {instance}, {http:NAME}"
IN_RABBITMQ = "{amqp_url}, {queue_type}, " + EVERYWHERE
IN_KAFKA = "{kafka_bootstrap}, {group}, {topic:NAME}, " + EVERYWHERE


def no_placeholder(name: str, known: str) -> str:
    """Return what is said of a placeholder that is not known."""
    return f"there is no placeholder {{{name}}}; known here are {known} ({{{{{name}}}}} is the text)"


WRONG = {
    # wrong types
    "env value": ('command = "run"', 'command = "run"\nenv = { A = "x", PORT = 8080 }',
        "service.env.PORT: found 8080, expected text in quotes"),
    "text": ('command = "run"', "command = 5", "service.command: found 5, expected text in quotes"),
    "list": ('queue = "in"', 'queue = "in"\n[output]\nqueues = "out"',
        'output.queues: found "out", expected a list (text in quotes each)'),
    "list entry": ('queue = "in"', 'queue = "in"\n[output]\nqueues = ["a", 3]',
        "output.queues[number 2]: found 3, expected text in quotes"),
    "no broker": ('[broker]\nkind = "rabbitmq"', "",
        "input.queue: found without a broker, expected a table [broker] with its kind"),
    "no table": ("[service]", 'topics = "orders"\n[service]', 'topics: found "orders", expected a table'),
    "number": ('command = "run"', 'command = "run"\ninstances = "two"',
        'service.instances: found "two", expected a whole number of at least 1'),
    "too small": ('command = "run"', 'command = "run"\ninstances = 0',
        "service.instances: found 0, expected a whole number of at least 1"),
    "truth": ("[promises]", '[[poison]]\nname = "p"\nnull = "yes"\n[promises]',
        'poison["p"].null: found "yes", expected true or false'),
    "required": ("[promises]", '[[poison]]\nbody = "x"\n[promises]',
        "poison[number 1].name: found none, expected text in quotes"),
    # unknown keys
    "unknown key": ('command = "run"', 'comand = "run"',
        'service.comand: there is no such key; did you mean "command"?'),
    "unknown key, chain": ('[service]\ncommand = "run"', '[services.a]\ncomand = "run"',
        'services.a.comand: there is no such key; did you mean "command"?'),
    "unknown table": ("[promises]", "[promise]", 'promise: there is no such key; did you mean "promises"?'),
    "nothing near": ('kind = "rabbitmq"', 'kind = "rabbitmq"\nzzz = 1',
        "broker.zzz: there is no such key; there are kind, queue_type, definitions"),
    # values that are none
    "enum": ('"rabbitmq"', '"rabitmq"', 'broker.kind: found "rabitmq", expected one of "rabbitmq", "kafka", "http"'),
    "enum type": ('"rabbitmq"', "1", 'broker.kind: found 1, expected one of "rabbitmq", "kafka", "http"'),
    "duration": ('command = "run"', 'command = "run"\nready_within = "30 sec"',
        f'service.ready_within: found "30 sec", expected {A_DURATION}'),
    "duration type": ('command = "run"', 'command = "run"\nready_within = 30',
        f"service.ready_within: found 30, expected {A_DURATION}"),
    "ignore": ("[promises]", '[observe]\nignore = ["updated_at"]\n[promises]',
        'observe.ignore: found "updated_at", expected a path like "$.updated_at"'),
    "property": ('queue = "in"', 'queue = "in"\nproperties = { mesage_id = "{id}" }',
        'input.properties.mesage_id: there is no such text property; did you mean "message_id"?'),
    # promises
    "unknown promise": ("nothing-lost", "nothing-lots",
        'promises.nothing-lots: there is no such promise; did you mean "nothing-lost"?'),
    "promise text": ("nothing-lost = true", 'nothing-lost = "yes"',
        'promises.nothing-lost: found "yes", expected true, false or a table of options'),
    "no option": ("nothing-lost = true", "nothing-lost = { within = 1 }",
        "promises.nothing-lost.within: there is no such key; there are none"),
    "option type": ("nothing-lost = true", 'recovers = { within = "soon" }',
        f'promises.recovers.within: found "soon", expected {A_DURATION}'),
    "needed options": ("nothing-lost = true", "backs-off = true",
        "promises.backs-off.attempts: found none, expected a whole number of at least 1"),
    "schedule": ("nothing-lost = true", 'backs-off = { attempts = 1, schedule = ["1s", "x"] }',
        f'promises.backs-off.schedule[number 2]: found "x", expected {A_DURATION}'),
    "none made": ("nothing-lost = true", "nothing-lost = false",
        f"promises: found none, expected at least one of {', '.join(PROMISES)}"),
    # placeholders
    "placeholder": ('"run"', '"run {prot}"',
        "service.command: " + no_placeholder("prot", IN_RABBITMQ)),
    "placeholder in env": ('command = "run"', 'command = "run"\nenv = { B = "{kafka_bootstrap}" }',
        "service.env.B: " + no_placeholder("kafka_bootstrap", IN_RABBITMQ)),
    "placeholder in message": ('"{id}"', '"{port}"',
        "input.message: " + no_placeholder("port", IN_MESSAGES)),
    "pad without a number": ('"{id}"', '"{pad:big}"',
        "input.message: found {pad:big}, expected a number of letters up to 16777216"),
    "pad too large": ('"{id}"', '"{pad:16777217}"',
        "input.message: found {pad:16777217}, expected a number of letters up to 16777216"),
    "placeholder in poison": ("[promises]", '[[poison]]\nname = "p"\nheaders = { h = "{port}" }\n[promises]',
        'poison["p"].headers.h: ' + no_placeholder("port", IN_MESSAGES)),
    "no other service": ('"run"', '"run {http:mail}"',
        "service.command: {http:mail} names no table of [services]; there are none"),
    # keys that contradict each other
    "no service": ('[service]\ncommand = "run"', "",
        "service: found none, expected a table [service] with the command that starts it"),
    "two kinds of service": ("[broker]", '[services.b]\ncommand = "b"\n[broker]',
        "service: found beside [services.…], expected one of the two"),
    "no command": ('command = "run"', "",
        "service.command: found none, expected the command (or image) that starts it"),
    "command and image": ('command = "run"', 'command = "run"\nimage = "i"',
        "service.command: found one beside an image, expected the command (or image) that starts it"),
    "no way in": ('queue = "in"', "",
        "input: found no way in, expected exactly one of queue, exchange, topic, http"),
    "two ways in": ('queue = "in"', 'queue = "in"\nexchange = "x"',
        "input: found queue and exchange, expected exactly one of queue, exchange, topic, http"),
    "no message": ("message = '{\"id\": \"{id}\"}'", "",
        f"input.message: found none, expected {A_MESSAGE}"),
    "message twice": ('queue = "in"', 'queue = "in"\nmessages = ["a"]',
        f"input.message: found both message and messages, expected {A_MESSAGE}"),
    "key without exchange": ('queue = "in"', 'queue = "in"\nrouting_key = "k"',
        "input.routing_key: found without an exchange, expected input.exchange beside it"),
    "queue and HTTP": ('queue = "in"', 'queue = "in"\nhttp = "POST http://127.0.0.1:{port}/"',
        "input: found queue and http, expected exactly one of queue, exchange, topic, http"),
    "no method": ('queue = "in"', 'http = "http://127.0.0.1:{port}/order"',
        f'input.http: found "http://127.0.0.1:{{port}}/order", {AN_ADDRESS}'),
    "no address": ('queue = "in"', 'http = "POST /order"', f'input.http: found "POST /order", {AN_ADDRESS}'),
    "HTTP to nobody": ('queue = "in"', 'http = "POST {http:mail}/order"',
        "input.http: {http:mail} names no table of [services]; there are none"),
    # poison
    "two bodies": ("[promises]", '[[poison]]\nname = "p"\nbody = "x"\nbody_base64 = "eA=="\n[promises]',
        'poison["p"]: found body and body_base64, expected one of body, body_base64, null'),
    "no base64": ("[promises]", '[[poison]]\nname = "p"\nbody_base64 = "eA"\n[promises]',
        'poison["p"].body_base64: found no base64 (Incorrect padding), expected the bytes of a message in base64'),
    "output id": ("[promises]", '[output]\nqueues = ["q"]\nid = "app"\n[promises]',
        'output.id: found "app", expected a property, header:NAME or a path like $.order_id; did you mean "app_id"?'),
    "output id in a list": ("[promises]", '[output]\nqueues = ["q"]\nid = "$.type["\n[promises]',
        'output.id: found "$.type[", expected a property, header:NAME or a path like $.order_id; did you mean "type"?'),
    "null on RabbitMQ": ("[promises]", '[[poison]]\nname = "p"\nnull = true\n[promises]',
        'poison["p"].null: found with broker.kind "rabbitmq", expected a body'),
    "property of the second poison": (
        "[promises]", '[[poison]]\nname = "p"\n[[poison]]\nname = "q"\nproperties = { typ = "x" }\n[promises]',
        'poison["q"].properties.typ: there is no such text property; did you mean "type"?'),
    "no variation": ("[promises]", '[replay]\nreport = "http://127.0.0.1/"\nwithout = ["clocks"]\n[promises]',
        'replay.without: there is no such variation, "clocks"; did you mean "clock"?'),
    "health of nobody": ("[promises]", "[promises]\ntells-health = true",
        "promises.tells-health: found without service.health, expected the address that tells it"),
    "topic on RabbitMQ": ('queue = "in"', 'topic = "in"',
        'input.topic: found with broker.kind "rabbitmq", expected input.queue'),
    "no TOML": ("[broker]", "[broker",
        "this is no TOML: Expected ']' at the end of a table declaration (at line 4, column 8)"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), WRONG.values(), ids=WRONG)
def test_wrong_contract_is_one_sentence(old: str, new: str, said: str) -> None:
    """Whatever is wrong is said with its key, what was found and what is expected."""
    assert old in SMALL
    with pytest.raises(ContractError) as caught:
        parse(SMALL.replace(old, new, 1))
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('topic = "orders"', 'topic = "order"',
            'input.topic: "order" is no table of [topics]; did you mean "orders"?'),
        ("[promises]", '[output]\ntopics = ["event"]\n[promises]',
            'output.topics: "event" is no table of [topics]; there are orders'),
        ("[promises]", '[output]\ndead_letters = "dead"\n[promises]',
            'output.dead_letters: "dead" is no table of [topics]; there are orders'),
        ("{topic:orders}", "{topic:order}",
            'service.env.TOPIC: {topic:order} names no table of [topics]; did you mean "orders"?'),
        ("{topic:orders}", "{amqp_url}",
            "service.env.TOPIC: " + no_placeholder("amqp_url", IN_KAFKA)),
        ("[promises]", '[output]\nid = "message_id"\n[promises]',
            'output.id: found "message_id", expected key, header:NAME or a path like $.order_id'),
        ("[promises]", '[output]\nqueues = ["q"]\n[promises]',
            'output.queues: found with broker.kind "kafka", expected output.topics'),
        ("orders = {}", 'orders = { partitions = "4" }',
            'topics.orders.partitions: found "4", expected a whole number of at least 1'),
    ],
)  # fmt: skip
def test_wrong_kafka_contract_is_one_sentence(old: str, new: str, said: str) -> None:
    """Topics are created by us, so each that is named must be declared."""
    with pytest.raises(ContractError) as caught:
        parse(KAFKA.replace(old, new, 1))
    assert str(caught.value) == said


def test_poison_may_be_bytes_or_on_kafka_nothing() -> None:
    """Every way to say what a poison is, with the properties and headers of its own."""
    poison = (
        '[[poison]]\nname = "null"\nnull = true\n[[poison]]\nname = "bytes"\nbody_base64 = "/w=="\n[promises]'
    )
    large = '[[poison]]\nname = "large"\nbody = "{pad:70000}"\nheaders = { of = "{id}" }\n'
    assert parse(KAFKA.replace("[promises]", large + poison)).poison == (
        Poison(name="large", body="{pad:70000}", headers={"of": "{id}"}),
        Poison(name="null", null=True),
        Poison(name="bytes", body_base64="/w=="),
    )


@pytest.mark.parametrize("address", ["PUT http://127.0.0.1:{port}/order/1", "POST {http:a}/order"])
def test_messages_may_come_in_over_http(address: str) -> None:
    """A method and an address: of the service itself, or of one of the chain by its name."""
    text = SMALL.replace("[service]", "[services.a]").replace('queue = "in"', f'http = "{address}"')
    assert parse(text).input.http == address


def test_both_small_contracts_are_right() -> None:
    """What the wrong ones are made from is right."""
    assert [parse(text).broker.kind for text in (SMALL, KAFKA)] == ["rabbitmq", "kafka"]


def test_long_value_is_cut() -> None:
    """A sentence stays readable, however much was found."""
    with pytest.raises(ContractError) as caught:
        parse(SMALL.replace('"rabbitmq"', f'"{"x" * 500}"'))
    assert len(str(caught.value)) < 150


def test_error_names_the_file(tmp_path: Path) -> None:
    """Where a file was read, its name comes first."""
    path = tmp_path / "atleastonce.toml"
    path.write_text(SMALL.replace("queue", "queu"))
    with pytest.raises(ContractError) as caught:
        load(path)
    assert str(caught.value) == f'{path}: input.queu: there is no such key; did you mean "queue"?'


def test_a_folder_means_the_file_in_it(tmp_path: Path) -> None:
    """As the command itself does with the folder that it is called in."""
    (tmp_path / "atleastonce.toml").write_text(SMALL)
    assert load(tmp_path) == load(tmp_path / "atleastonce.toml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ContractError, match=r"empty/atleastonce\.toml: No such file"):
        load(tmp_path / "empty")


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda _: None, "No such file or directory"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "it is no text"),
    ],
    ids=["missing", "binary"],
)
def test_file_that_is_none(tmp_path: Path, make: Callable[[Path], object], found: str) -> None:
    """A file that cannot be read is named, with what to do."""
    path = tmp_path / "contract"
    make(path)
    with pytest.raises(ContractError) as caught:
        load(path)
    assert str(caught.value) == f"cannot read the contract {path}: {found}; name a contract file (TOML)"


@pytest.mark.parametrize(
    ("key", "text", "common"),
    [
        ("observe.url", "postgresql+psycopg://shop@db/shop", True),
        ("observe.url", "postgresql+psycopg://shop@db/shop?options=-csearch_path%3D{lane}", False),
        ("observe.url", "sqlite:///{data_dir}/shop.db", False),
        ("service.env.DB", "jdbc:mysql://db/shop", True),
        ("service.env.DB", "redis://localhost:6379/0", True),
        ("service.env.DB", "redis://localhost:6379/{instance}", False),
        ("service.env.DB", "http://127.0.0.1:8080", False),
        ("service.command", "run --db=postgres://db/shop", True),
    ],
)
def test_database_that_every_lane_would_share_is_known(key: str, text: str, common: bool) -> None:
    """A server that is named without a placeholder is everybody's."""
    table, _, name = key.rpartition(".")
    service = Service(command=text if name == "command" else "run", env={"DB": text} if name == "DB" else {})
    observe = Observe(url=text if table == "observe" else "")
    found = Contract(service=service, input=Input(queue="in"), observe=observe)
    assert found.common_database == (key if common else "")
