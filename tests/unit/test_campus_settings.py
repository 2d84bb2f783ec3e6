"""How the reference services read the environment."""

import pytest

from campus_food.domain import OPENING_STOCK
from campus_food.settings import SettingError, Settings, common, required


def read(environ: dict[str, str]) -> Settings:
    """Read the settings of the inventory."""
    return common(environ, "inventory", 8001)


def test_defaults() -> None:
    """Only this machine is listened to, and the stock is the usual one."""
    assert read({}) == Settings("sqlite:///inventory.db", "127.0.0.1", 8001, OPENING_STOCK)


@pytest.mark.parametrize("text", ["burger=1000, fries=0", '{"burger": 1000, "fries": 0}'])
def test_opening_stock_in_two_notations(text: str) -> None:
    """As pairs or as JSON."""
    assert read({"OPENING_STOCK": text}).opening_stock == {"burger": 1000, "fries": 0}


@pytest.mark.parametrize("text", ["burger", "burger=-1", "burger=x", "{", "{}", '{"burger": true}'])
def test_a_wrong_stock_is_a_sentence(text: str) -> None:
    """It names the variable, what is expected and what was found."""
    with pytest.raises(SettingError, match=r"OPENING_STOCK: expected burger=100,fries=20 or .*, found "):
        read({"OPENING_STOCK": text})


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1"])
def test_a_wrong_port_is_a_sentence(text: str) -> None:
    """So is a port that is none."""
    with pytest.raises(SettingError, match=f"PORT: expected a whole number from 1 to 65535, found '{text}'"):
        read({"PORT": text})


def test_what_has_no_default_must_be_set() -> None:
    """The missing variable is named."""
    with pytest.raises(SettingError, match="AMQP_URL: not set"):
        required({"AMQP_URL": ""}, "AMQP_URL")
