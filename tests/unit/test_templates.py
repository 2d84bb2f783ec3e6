"""Placeholders in the texts of a contract."""

import pytest

from atleastonce import templates

VALUES = {"id": "7", "message_id": "m", "topic:orders.v1": "lane-orders"}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("", ""),
        ("{id}", "7"),
        ("{id}{message_id}", "7m"),
        ('{"order": "{id}", "items": {"burger": 1}}', '{"order": "7", "items": {"burger": 1}}'),
        ('{"map": {{id}: 1}}', '{"map": {7: 1}}'),
        ("{}", "{}"),
        ("{ id }", "{ id }"),
        ("{Id} {id2} {1}", "{Id} {id2} {1}"),
        ("{{id}}", "{id}"),
        ("{{topic:x}}", "{topic:x}"),
        ("{topic:orders.v1}", "lane-orders"),
        ("{topic:}", "{topic:}"),
        ("a{pad:3}b{pad:0}", "axxxb"),
        ("{{pad:3}}", "{pad:3}"),
        ("{pad:}", "{pad:}"),
    ],
)
def test_fill(template: str, filled: str) -> None:
    """Names in lower case between braces are replaced; every other brace is text."""
    assert templates.fill(template, VALUES) == filled


def test_value_is_not_filled_again() -> None:
    """A value that looks like a placeholder stays as it is."""
    assert templates.fill("{id}", {"id": "{message_id}", "message_id": "m"}) == "{message_id}"


def test_placeholder_without_a_value() -> None:
    """What has no value raises, rather than going out as text."""
    with pytest.raises(KeyError, match="port"):
        templates.fill("{port}", VALUES)


def test_placeholders_are_listed_with_their_arguments() -> None:
    """Escaped ones are text, and not listed."""
    assert list(templates.placeholders("{id} {{n}} {topic:orders} {}")) == ["id", "topic:orders"]


@pytest.mark.parametrize(
    ("template", "unknown"),
    [
        ("{id} {topic:orders}", []),
        ("{idd}", ["idd"]),
        ("{topic}", ["topic"]),
        ("{id:x}", ["id:x"]),
        ("{http:x} {idd}", ["http:x", "idd"]),
        ("{pad:70000}", ["pad:70000"]),
    ],
)
def test_unknown(template: str, unknown: list[str]) -> None:
    """A name that takes an argument needs one, and a name that takes none has none."""
    assert templates.unknown(template, ("id", "topic:")) == unknown
