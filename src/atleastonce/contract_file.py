"""Reads a contract file; whatever is wrong with it is one sentence that names key, found and expected."""

import tomllib
from pathlib import Path

from atleastonce.contract import Contract, ContractFile
from atleastonce.contract_problems import problems
from atleastonce.conversion import convert, near, shown, text_of
from atleastonce.errors import ContractError
from atleastonce.promises import PROMISES


def load(path: Path) -> ContractFile:
    """Read a contract file, or the one in a folder; raise ContractError where anything is wrong with it."""
    if path.is_dir():
        path = path / "atleastonce.toml"
    text = text_of(path, "the contract", "contract file (TOML)", ContractError)
    try:
        return ContractFile(path=path, text=text, contract=parse(text))
    except ContractError as exc:
        raise ContractError(f"{path}: {exc}") from exc.__cause__


def parse(text: str) -> Contract:
    """Read the text of a contract; raise ContractError where anything is wrong with it."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ContractError(f"this is no TOML: {exc}") from exc
    contract: Contract = convert(data, Contract, "")
    for name, value in contract.promises.items():
        _check_promise(name, value)
    for problem in problems(contract):
        raise ContractError(problem)
    return contract


def _check_promise(name: str, value: object) -> None:
    """Raise ContractError for a promise that does not exist, or is not made in the right form."""
    if name not in PROMISES:
        raise ContractError(f"promises.{name}: there is no such promise{near(name, PROMISES)}")
    if not isinstance(value, bool | dict):
        raise ContractError(
            f"promises.{name}: found {shown(value)}, expected true, false or a table of options"
        )
    if value is not False:
        convert({} if value is True else value, PROMISES[name].options, f"promises.{name}")
