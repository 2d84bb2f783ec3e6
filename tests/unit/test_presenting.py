"""What a command writes, and where."""

from contextlib import suppress

from atleastonce.commands.presenting import presenter
from atleastonce.errors import UsageError


def test_a_report_that_is_there_is_replaced(tmp_path):
    """Histories of two runs, judged together, would say what neither of them does; what is not ours stays."""
    inside = tmp_path / "histories" / "inventory"
    inside.mkdir(parents=True)
    old, other = inside / "lane-1.jsonl", tmp_path / "notes.jsonl"
    for path in (old, other):
        path.write_text("{}\n")
    assert presenter(tmp_path).folder == tmp_path
    assert (old.exists(), other.exists()) == (False, True)


def test_no_empty_folder_of_ours_is_left(tmp_path):
    """Nor is one taken away that the user had, or in which something is."""
    kept = tmp_path / "kept"
    for chosen in (tmp_path / "new", tmp_path, kept):
        with suppress(UsageError), presenter(chosen).interruptible():
            if chosen == kept:
                (kept / "selftest.json").touch()
            raise UsageError("it does not start")
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]
