"""What a command writes, and where."""

from atleastonce.commands.presenting import presenter


def test_a_report_that_is_there_is_replaced(tmp_path):
    """Histories of two runs, judged together, would say what neither of them does; what is not ours stays."""
    inside = tmp_path / "histories" / "inventory"
    inside.mkdir(parents=True)
    old, other = inside / "lane-1.jsonl", tmp_path / "notes.jsonl"
    for path in (old, other):
        path.write_text("{}\n")
    assert presenter(tmp_path).folder == tmp_path
    assert (old.exists(), other.exists()) == (False, True)
