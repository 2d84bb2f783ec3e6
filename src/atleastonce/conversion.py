"""Turns decoded TOML into frozen data; what does not fit is said with its key, as found and as expected."""

import difflib
import json
import re
from collections.abc import Collection
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from atleastonce.durations import Duration, decoded
from atleastonce.errors import ContractError, UsageError

_ERROR = re.compile(r"(?s)(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?")
_FIELD = re.compile(r"Object (?P<wrong>contains unknown|missing required) field `(?P<key>.*)`")
_STEP = re.compile(r"\.(?P<field>[^.\[]+)|\[(?P<index>\d+|\.\.\.)\]")
_SHOWN = 60

_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    dict: "a table",
    Duration: 'a duration: a number and ms, s, m or h, like "30s"',
}


def convert(data: Any, kind: Any, at: str) -> Any:
    """Return data as a value of this kind; raise ContractError, naming the key, where it is none.

    `at` is the key that the data itself stands under.
    """
    try:
        return msgspec.convert(data, kind, dec_hook=decoded)
    except msgspec.ValidationError as exc:
        raise ContractError(_sentence(data, kind, at, str(exc))) from exc


def text_of(path: Path, what: str, kind: str, error: type[UsageError], encoding: str = "utf-8") -> str:
    """Read a file that the user named; raise an error that says what it was to be, and which kind is expected."""
    try:
        return path.read_text(encoding=encoding)
    except OSError as exc:
        raise error(f"cannot read {what} {path}: {exc.strerror or exc}; name a {kind}") from exc
    except UnicodeDecodeError as exc:
        raise error(f"cannot read {what} {path}: it is no text; name a {kind}") from exc


def near(name: str, known: Collection[str]) -> str:
    """Return ``; did you mean …`` or, where nothing is near, the list of what there is."""
    found = difflib.get_close_matches(name, known, n=1)
    if found:
        return f'; did you mean "{found[0]}"?'
    return f"; there are {', '.join(known)}" if known else "; there are none"


def shown(value: Any) -> str:
    """Return a value as a user may have written it, cut where it is long."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def element(at: str, number: int, name: object = None) -> str:
    """Return the key of one of a list, counted from 0: by its name if it has one, else counted from 1, as people do."""
    return f'{at}["{name}"]' if name and isinstance(name, str) else f"{at}[number {number + 1}]"


def _sentence(data: Any, kind: Any, at: str, error: str) -> str:
    """Say what is wrong: follow the path of the error down through the data and its type."""
    found = _ERROR.fullmatch(error)
    what, path = (found["what"], found["path"] or "") if found else (error, "")
    kind = _plain(kind)
    for step in _STEP.finditer(path):
        if step["index"] == "...":
            return _in_table(data, get_args(kind)[1], at) or f"{at}: {what}"
        if step["index"]:
            number = int(step["index"])
            data, kind = data[number], get_args(kind)[0]
            at = element(at, number, data.get("name") if isinstance(data, dict) else None)
        else:
            name = step["field"]
            data, kind, at = data[name], _fields(kind)[name], _below(at, name)
        kind = _plain(kind)
    if (field := _FIELD.fullmatch(what)) is None:
        return f"{at or 'the file'}: found {shown(data)}, expected {_expected(kind)}"
    key, known = field["key"], _fields(kind)
    if field["wrong"] == "missing required":
        return f"{_below(at, key)}: found none, expected {_expected(known[key])}"
    return f"{_below(at, key)}: there is no such key{near(key, known)}"


def _in_table(data: dict[str, Any], kind: Any, at: str) -> str | None:
    """Return what is wrong with the first wrong value of a table: msgspec does not name its key."""
    for key, value in data.items():
        try:
            convert(value, kind, _below(at, key))
        except ContractError as exc:
            return str(exc)
    return None


def _below(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def _fields(kind: Any) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


def _plain(kind: Any) -> Any:
    """Return a type without ``| None``."""
    if get_origin(kind) in (Union, UnionType):
        return next(each for each in get_args(kind) if each is not type(None))
    return kind


def _expected(kind: Any) -> str:
    kind = _plain(kind)
    origin = get_origin(kind)
    if origin is Literal:
        return "one of " + ", ".join(f'"{each}"' for each in get_args(kind))
    if origin is Annotated:
        least = next(meta.ge for meta in get_args(kind)[1:] if isinstance(meta, msgspec.Meta))
        return f"{_expected(get_args(kind)[0])} of at least {least}"
    if origin is tuple:
        return f"a list ({_expected(get_args(kind)[0])} each)"
    return _WORDS.get(origin or kind, "a table")
