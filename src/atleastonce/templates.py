"""Placeholders in the texts of a contract: ``{name}`` and ``{name:ARG}``.

A name is lower-case letters and ``_``. Every other brace is text, so JSON needs no escaping; ``{{id}}`` is the
text ``{id}``. ``{pad:70000}`` is that many letters ``x``: a message too large need not be written out.
"""

import re
from collections.abc import Collection, Iterator, Mapping

PAD = "pad"
OF_A_MESSAGE = ("id", "message_id", "n")
"""What stands for what each message has of its own."""
_PLACEHOLDER = re.compile(r"\{\{(?P<text>[a-z_]+(?::[\w.-]+)?)\}\}|\{(?P<name>[a-z_]+(?::[\w.-]+)?)\}")


def placeholders(template: str) -> Iterator[str]:
    """Yield the placeholders of a text, with their arguments: ``port``, ``topic:orders``."""
    for match in _PLACEHOLDER.finditer(template):
        if match["name"] is not None:
            yield match["name"]


def unknown(template: str, known: Collection[str]) -> list[str]:
    """Return the placeholders that are none of `known`; an entry ``topic:`` allows any argument."""
    return [
        name
        for name in placeholders(template)
        if name not in known and name.partition(":")[0] + ":" not in (k for k in known if ":" in name)
    ]


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values in place of placeholders; raise KeyError for one that has no value."""

    def value(name: str) -> str:
        word, _, argument = name.partition(":")
        return "x" * int(argument) if word == PAD else values[name]

    return _PLACEHOLDER.sub(lambda m: "{" + m["text"] + "}" if m["text"] else value(m["name"]), template)
