"""Settings come from the environment, read once when a service starts."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from campus_food.domain import OPENING_STOCK

LAST_PORT = 65535
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

# Neither `nan` nor `1e-3`, which `float` takes as well.
SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


class SettingError(ValueError):
    """A variable is missing or wrong; the text names it, what was found and what is expected."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What every service needs: its database, its HTTP address, and the stock that it opens with."""

    database_url: str
    host: str
    port: int
    opening_stock: Mapping[str, int]


def common(
    environ: Mapping[str, str], name: str, port: int, opening_stock: Mapping[str, int] = OPENING_STOCK
) -> Settings:
    """Read what every service needs, with the defaults of the one of this name; raises `SettingError`."""
    return Settings(
        database_url=environ.get("DATABASE_URL", f"sqlite:///{name}.db"),
        host=environ.get("HOST", "127.0.0.1"),  # not `localhost`, which may resolve to IPv6 first and stall
        port=whole(environ, "PORT", port, at_most=LAST_PORT),
        opening_stock=stock(environ.get("OPENING_STOCK", ""), opening_stock),
    )


def log_level(environ: Mapping[str, str]) -> str:
    """Read from which level on logs are written; raises `SettingError`."""
    level = environ.get("LOG_LEVEL") or "INFO"
    if level not in LOG_LEVELS:
        raise SettingError(f"LOG_LEVEL: expected one of {', '.join(LOG_LEVELS)}, found {level!r}")
    return level


def required(environ: Mapping[str, str], name: str) -> str:
    """Read a variable that has no default; raises `SettingError`."""
    if not environ.get(name):
        raise SettingError(f"{name}: not set; it has no default")
    return environ[name]


def whole(environ: Mapping[str, str], name: str, default: int, *, at_least: int = 1, at_most: int) -> int:
    """Read a whole number from `at_least` to `at_most`; raises `SettingError`."""
    text = environ.get(name) or str(default)
    # A long text is too much anyway, and Python refuses to convert one of thousands of digits.
    if not text.isdecimal() or len(text) > len(str(at_most)) or not at_least <= int(text) <= at_most:
        raise SettingError(f"{name}: expected a whole number from {at_least} to {at_most}, found {text!r}")
    return int(text)


def seconds(environ: Mapping[str, str], name: str, default: float, *, at_most: float) -> float:
    """Read a number of seconds from 0 to `at_most`, such as `0.5`; raises `SettingError`."""
    text = environ.get(name) or str(default)
    try:
        return duration(text, at_most)
    except ValueError as error:
        raise SettingError(f"{name}: {error}") from error


def duration(text: str, at_most: float) -> float:
    """Read a number of seconds from 0 to `at_most`; raises `ValueError`."""
    if SECONDS.fullmatch(text) is None or not 0 <= float(text) <= at_most:
        raise ValueError(f"expected seconds from 0 to {at_most:g}, such as 0.5, found {text[:40]!r}")
    return float(text)


def stock(text: str, usual: Mapping[str, int] = OPENING_STOCK) -> Mapping[str, int]:
    """Read `burger=100,fries=20` or `{"burger": 100}`; empty text is the usual one; raises `SettingError`."""
    if not text.strip():
        return usual
    try:
        if text.lstrip().startswith("{"):
            pairs = json.loads(text)
        else:
            pairs = {name.strip(): int(number) for name, number in (p.split("=") for p in text.split(","))}
    except ValueError as error:
        raise SettingError(_expected_stock(text)) from error
    if not pairs or any(type(number) is not int or number < 0 for number in pairs.values()):
        raise SettingError(_expected_stock(text))
    return dict(pairs)


def _expected_stock(text: str) -> str:
    return f'OPENING_STOCK: expected burger=100,fries=20 or {{"burger": 100}}, found {text!r}'
