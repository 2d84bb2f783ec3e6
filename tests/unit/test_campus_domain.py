"""The rules of the ordering business."""

from campus_food.domain import OPENING_STOCK, Refused, Reserved, reserve


def test_opening_stock() -> None:
    """The menu and its opening stock are those of the original system."""
    assert OPENING_STOCK == {"burger": 100, "fries": 200, "pizza": 50, "soda": 150, "salad": 75}


def test_an_order_takes_what_it_names() -> None:
    """What is left is told for the items of the order only."""
    assert reserve(OPENING_STOCK, {"burger": 1, "fries": 200}) == Reserved({"burger": 99, "fries": 0})


def test_too_little_of_one_item_refuses_the_whole_order() -> None:
    """An order is all or nothing."""
    assert reserve(OPENING_STOCK, {"burger": 1, "pizza": 51}) == Refused("too little stock: pizza")


def test_unknown_items_are_refused_by_name() -> None:
    """An unknown item is a business failure, whatever else the order names."""
    assert reserve(OPENING_STOCK, {"caviar": 1, "burger": 1}) == Refused("unknown item: caviar")


def test_stock_is_not_changed_by_deciding() -> None:
    """Deciding is pure."""
    stock = {"burger": 2}
    reserve(stock, {"burger": 2})
    assert stock == {"burger": 2}
