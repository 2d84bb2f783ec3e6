"""The documentation names what there is, with its defaults, and what it shows can be run."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import pytest

from atleastonce.brokers import settings
from atleastonce.brokers.docker import IMAGE_VARIABLES
from atleastonce.checks import CHECKS
from atleastonce.cli import cli
from atleastonce.contract import Contract, Service
from atleastonce.contract_file import load, parse
from atleastonce.durations import Duration
from atleastonce.errors import ContractError
from atleastonce.exploration import EXPLORERS
from atleastonce.faults import FAULTS
from atleastonce.latency.findings import found
from atleastonce.latency.grammar import MEASURES, Known, parse_claim
from atleastonce.latency.samples import Measured, read
from atleastonce.latency.scenario import Latency
from atleastonce.latency.scenario_file import ATTEMPTS, REQUEST, SERVICE
from atleastonce.latency.scenario_file import load as load_scenarios
from atleastonce.latency.scenario_file import parse as parse_scenarios
from atleastonce.promises import PROMISES
from atleastonce.report import latency_folder, latency_markdown
from atleastonce.report.latency_drawing import alone
from atleastonce.scope import refuse
from campus_food.rest import faults
from campus_food.rest.order import ordering_from
from campus_food.rest.web import TO_INVENTORY, TO_NOTIFICATION
from latencies import ORIGINAL

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "examples/*/*.md")
    for path in ROOT.glob(pattern)
    if "node_modules" not in path.parts
)
CONTRACT_PAGE = (ROOT / "docs/contract.md").read_text("utf-8")
HOW_IT_WORKS = (ROOT / "docs/how-it-works.md").read_text("utf-8")
LATENCY_PAGE = (ROOT / "docs/latency.md").read_text("utf-8")
BROKERS_PAGE = (ROOT / "docs/brokers.md").read_text("utf-8")

KEYS = re.compile(
    r"^\| `(?P<key>[\w.]+)` \| (?P<default>[^|]*) \| (?P<today>works|refused|not used) \| [^|]+ \|$",
    re.MULTILINE,
)
LATENCY_KEYS = re.compile(r"^\| `(?P<key>[\w.]+)` \| (?P<default>[^|]*) \| [^|]+ \|$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)(?P<target>[^)#\s]*)(?:#(?P<heading>[^)\s]*))?\)")
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

SMALL = """
[service]
command = "node service.js"
[broker]
kind = "{kind}"
[topics]
orders = {{}}
[input]
{way}
message = "x"
[promises]
nothing-lost = true
"""
RABBITMQ = SMALL.format(kind="rabbitmq", way='queue = "orders"')
KAFKA = SMALL.format(kind="kafka", way='topic = "orders"')
COMMAND = 'command = "node service.js"'
REFUSED = {
    "service.image": RABBITMQ.replace(COMMAND, 'image = "a:b"'),
}
"""What the page calls refused, each in a contract that is refused for it."""
PARTLY = {
    "service.instances": KAFKA.replace(COMMAND, COMMAND + "\ninstances = 2")
    + '[progress]\nby = "observe"\n[observe]\ncommand = "show"',
    "services": KAFKA.replace("[service]", "[services.a]") + f"[services.b]\n{COMMAND}",
}
"""What works, but not with every value, or not on every broker."""


def blocks(page: Path, language: str) -> Iterator[str]:
    """Yield the code blocks of a page that are in this language."""
    for match in BLOCK.finditer(page.read_text("utf-8")):
        if match["language"] == language:
            yield match["text"]


def shown(value: Any) -> str:
    """Return a default as the page writes it."""
    if value is msgspec.NODEFAULT:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, Duration):
        return f'`"{value:g}s"`'
    literal = {bool: str(value).lower(), str: f'"{value}"', tuple: "[]", dict: "{}"}
    return f"`{literal.get(type(value), str(value))}`"


def table_in(kind: Any) -> type[msgspec.Struct] | None:
    """Return the table that a field holds: by itself, optional, in a list, or by name."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    if get_origin(kind) is not None or get_args(kind):
        return next((found for each in get_args(kind) if (found := table_in(each))), None)
    return None


def keys(table: type[msgspec.Struct], at: str = "") -> Iterator[tuple[str, str]]:
    """Yield every key below a table with its default, as the page writes both."""
    for field in msgspec.structs.fields(table):
        made = field.default_factory
        default = field.default if made is msgspec.NODEFAULT else made()
        path, inner = at + field.encode_name, table_in(field.type)
        named = get_origin(field.type) is dict
        plain = inner is None or named or get_origin(field.type) is tuple or path in ("replay", "request")
        if plain:
            yield path, shown(default)
        if inner is not None and not (named and inner is Service):
            yield from keys(inner, f"{path}.NAME." if named else f"{path}.")


def test_every_key_of_the_contract_is_on_the_page_with_its_default() -> None:
    """And no key that there is not."""
    documented = {match["key"]: match["default"] for match in KEYS.finditer(CONTRACT_PAGE)}
    assert documented == dict(keys(Contract))


def test_what_the_page_calls_refused_is_refused() -> None:
    """And nothing else is."""
    marked = {match["key"] for match in KEYS.finditer(CONTRACT_PAGE) if match["today"] == "refused"}
    assert marked == set(REFUSED)


@pytest.mark.parametrize("key", [*REFUSED, *PARTLY])
def test_it_is_refused_by_its_name(key: str) -> None:
    """The sentence begins with the key."""
    contract = parse({**REFUSED, **PARTLY}[key])
    with pytest.raises(ContractError, match=rf"^{re.escape(key)}: .* does not carry that out$"):
        refuse(contract)


def test_the_table_of_promises_is_that_of_the_registries() -> None:
    """Which are judged, their options, and when each holds."""
    rows = [
        f"| `{name}` | {'yes' if name in CHECKS else 'not yet'} "
        f"| {', '.join(f'`{field.name}`' for field in msgspec.structs.fields(promise.options))} "
        f"| {promise.holds_when} |"
        for name, promise in PROMISES.items()
    ]
    assert "\n".join(rows) in CONTRACT_PAGE


def test_faults_and_explorations_are_explained() -> None:
    """Each fault with the rule that allows it, each exploration by the name that --explore takes."""
    for name, fault in FAULTS.items():
        assert f"| `{name}` | {fault.allowed} |" in HOW_IT_WORKS
    for name in EXPLORERS:
        assert f"| `{name}` |" in HOW_IT_WORKS
    (option,) = (each for each in cli.commands["verify"].params if each.name == "explore")
    assert option.help is not None
    assert f"any of {', '.join(EXPLORERS)}" in option.help


def test_images_and_settings_of_brokers_are_listed() -> None:
    """What we set on a broker changes verdicts: a reader must be able to find it."""
    for image in (settings.RABBITMQ_IMAGE, settings.KAFKA_IMAGE, *IMAGE_VARIABLES.values()):
        assert f"`{image}`" in BROKERS_PAGE
    for key, value in {**settings.RABBITMQ, **settings.KAFKA}.items():
        assert f"| `{key}` | `{value}` |" in BROKERS_PAGE


def test_sessions_are_listed() -> None:
    """A contributor finds every nox session in the table."""
    sessions = re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text("utf-8"), re.MULTILINE)
    listed = re.findall(
        r"^\| `(\w+)` \| [^|]+\? [^|]*\|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(sessions)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading in it."""
    text = page.read_text("utf-8")
    for link in LINK.finditer(BLOCK.sub("", text)):
        target = (page.parent / link["target"]).resolve() if link["target"] else page
        assert target.exists(), link.group()
        if link["heading"]:
            headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert link["heading"] in slugs, link.group()


@pytest.mark.parametrize("page", ["README.md", "docs/contract.md"])
def test_contracts_that_are_shown_are_right(page: str) -> None:
    """They parse, and this version carries them out."""
    found = [parse(text) for text in blocks(ROOT / page, "toml")]
    assert found
    for contract in found:
        refuse(contract)


def test_contracts_of_examples_are_right() -> None:
    """They load, and this version carries them out."""
    found = sorted(ROOT.glob("examples/*/atleastonce.toml"))
    assert found
    for path in found:
        refuse(load(path).contract)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_that_is_shown_is_python(page: Path) -> None:
    """It compiles; whether it works is the business of other tests."""
    for text in blocks(page, "python"):
        ast.parse(text)


def test_settings_of_the_chain_over_http_are_listed() -> None:
    """With the defaults that a service has where nothing is set."""
    page = (ROOT / "docs/rest.md").read_text("utf-8")
    ordering = ordering_from({})
    defaults = {
        "RETRIES": ordering.attempts - 1,
        "BACKOFF": ordering.backoff,
        "JITTER": f"{ordering.jitter:g}",
        "ATTEMPT_TIMEOUT": f"{ordering.within:g}",
        "INVENTORY_URL": ordering.inventory,
        "NOTIFICATION_URL": ordering.notification,
    }
    for name, default in defaults.items():
        assert f"| `{name}` | order | `{default}` |" in page
    for name in faults.NAMES:
        assert f"| `{name}` | `{TO_INVENTORY}{name}` | `{TO_NOTIFICATION}{name}` |" in page


def test_every_key_of_a_scenario_file_is_on_the_page_with_its_default() -> None:
    """And no key that there is not."""
    documented = {match["key"]: match["default"] for match in LATENCY_KEYS.finditer(LATENCY_PAGE)}
    assert documented == dict(keys(Latency))


def test_every_measure_is_on_the_page() -> None:
    """And every placeholder, with the texts that it may stand in."""
    for measure in MEASURES:
        assert f"`baseline.{measure}`" in LATENCY_PAGE
    for where, known in (("services.NAME.*", SERVICE), ("services.NAME.attempts", ATTEMPTS)):
        assert f"| `{where}` | {_placeholders(known)} |" in LATENCY_PAGE
    assert f"| `request.*`, `scenarios.NAME.*` | {_placeholders(REQUEST)} |" in LATENCY_PAGE


def _placeholders(known: tuple[str, ...]) -> str:
    return " ".join(f"`{{{name}NAME}}`" if name.endswith(":") else f"`{{{name}}}`" for name in known)


def test_claims_that_are_shown_are_claims() -> None:
    """The file on the page is one, and what the table of claims names can be written."""
    (text,) = blocks(ROOT / "docs/latency.md", "toml")
    shown = parse_scenarios(text)
    for claim in shown.claims.values():
        parse_claim(claim, Known(tuple(shown.scenarios), tuple(shown.services)))
    table = LATENCY_PAGE.partition("| in a claim |")[2].partition("\n\n")[0]
    for cell in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE):
        for part in re.findall(r"`([^`]+)`", cell):
            parse_claim(f"{part} + baseline.max > 1", Known(("baseline", "failure"), ("inventory",)))


def test_the_page_on_the_original_report_is_generated() -> None:
    """From its samples and its claims; `atleastonce latency --judge tests/data/original-latency.csv` writes it."""
    file = load_scenarios(ROOT / "src/campus_food/scenarios/original_report.toml")
    judged = found(file, Measured(read(ORIGINAL)), latency_markdown.judged_origin(ORIGINAL, file.path))
    drawn = latency_folder.drawings(judged)
    plots = {name: f"original-report-{name}.svg" for name in drawn}
    page = ROOT / "docs/original-report.md"
    assert page.read_text("utf-8") == latency_markdown.report(judged, plots)
    for name, drawing in drawn.items():
        assert (page.parent / plots[name]).read_text("utf-8") == alone(drawing)


def test_settings_of_the_services_on_kafka_are_listed() -> None:
    """Every variable that they read is in the table of their page, with what it is where none is set."""
    page = (ROOT / "docs/streaming.md").read_text("utf-8")
    rows = {
        name
        for row in re.findall(r"^\| (`[A-Z_` ]+) \|", page, re.MULTILINE)
        for name in row.replace("`", "").split()
    }
    sources = [ROOT / "src/campus_food" / name for name in ("kafka/clients.py", "settings.py")]
    read = {
        name
        for path in sources
        for name in re.findall(r"environ[^\n]*?\"([A-Z_]{4,})\"", path.read_text("utf-8"))
    }
    assert (rows, {"KAFKA_BOOTSTRAP", "THROTTLE"} <= read) == (read, True)
