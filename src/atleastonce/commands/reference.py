"""The services that we ship, as contracts: the reference, its mutants, and what must stay green."""

from collections.abc import Iterable
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from atleastonce.contract import ContractFile
from atleastonce.contract_file import load
from atleastonce.errors import UsageError

_REFERENCE = "campus_food"
_LIBRARIES = ("sqlalchemy", "starlette", "uvicorn")
_MODULES = {
    "rabbitmq": "campus_food.rabbitmq.inventory",
    "kafka": "campus_food.kafka.inventory",
    "analytics": "campus_food.kafka.analytics",
    "order": "campus_food.rabbitmq.order",
    "notification": "campus_food.rabbitmq.notification",
    "rest": "campus_food.rest.order",
    "postgresql": "campus_food.rabbitmq.inventory",
}
"""For each contract, the module that it starts."""
_DATABASE = "postgresql+psycopg://campus@127.0.0.1:5432/campus"
"""The database that `SHARED` names, until another one is put in its place."""
SHARED = "postgresql"
"""The contract of services that share a PostgreSQL: one lane at a time, since they share what is observed, too."""


def need(command: str) -> None:
    """Raise UsageError where the services, or the libraries that they need, are not installed."""
    if not all(find_spec(name) for name in (_REFERENCE, *_LIBRARIES)):
        raise UsageError(
            f"{command} runs the reference services, and their libraries are not installed; "
            "install atleastonce with its extra: pip install 'atleastonce[reference]'"
        )


def contract(
    folder: Path,
    stem: str,
    name: str,
    module: str = "",
    instances: int = 1,
    amended: Iterable[tuple[str, str]] = (),
) -> ContractFile:
    """Write a contract of the reference into a folder, for another module in its place, and load it.

    It is written into the report, where the replay of a counterexample finds it. `name` is that of the service, where
    there is a `module`. `amended` are parts of the text, each with what stands in its place.
    """
    text = resources.files(_REFERENCE).joinpath("contracts", f"{stem}.toml").read_text("utf-8")
    for part, other in amended:
        text = text.replace(part, other)
    own = _MODULES[stem].rpartition(".")[2]
    table = f"[services.{own}]\n"
    text = text.replace(table, f"{table}instances = {instances}\n") if instances > 1 else text
    if module:
        text = text.replace(_MODULES[stem], module).replace(table, f"[services.{name}]\n")
        text = text.replace(f"[services.{own}.", f"[services.{name}.").replace(
            f"{{http:{own}}}", f"{{http:{name}}}"
        )
    path = folder / "contracts" / f"{stem}-{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return load(path)


def with_database(written: ContractFile, url: str) -> ContractFile:
    """Put the address of a PostgreSQL into a contract that was written into a folder, and load it again."""
    written.path.write_text(written.text.replace(_DATABASE, url), "utf-8")
    return load(written.path)
