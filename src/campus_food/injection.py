"""Faults that a message asks for in its header `inject`: obeyed with FAULT_INJECTION=1, refused without."""

import os
from collections.abc import Mapping
from typing import Any

from campus_food.messages import BadMessage

HEADER = "inject"
SETTING = "FAULT_INJECTION"

FAIL = "fail"
EXIT = "exit"


class InjectedError(Exception):
    """The message asked for a failure."""


def allowed(environ: Mapping[str, str]) -> bool:
    """Tell whether this process does what such a message asks for."""
    return environ.get(SETTING) == "1"


def obey(headers: Mapping[str, Any]) -> None:
    """Fail, or end the process as a crash does, where the message asks for it."""
    wanted = headers.get(HEADER)
    if wanted == FAIL:
        raise InjectedError(f"the header {HEADER} says {FAIL}")
    if wanted == EXIT:
        os._exit(1)
    if wanted is not None:
        raise BadMessage(HEADER, f"expected {FAIL} or {EXIT} in the header, found {wanted!r}")


def refuse(headers: Mapping[str, Any]) -> None:
    """Raise `BadMessage` for such a message: to handle it as if it asked for nothing would hide a mistake."""
    if HEADER in headers:
        raise BadMessage(HEADER, f"the header is obeyed with {SETTING}=1 only, which is not set")
