"""Tests of what the allocator does with freed memory."""

import platform
import subprocess
import sys

import pytest

FRAMES = 100
PAGES = 256
"""Of a megabyte."""
SCRIPT = f"""
import resource, sys
from atleastonce.relay.memory import keep_freed
if sys.argv[1:]:
    keep_freed()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def copies():
    first = bytes(bytearray({PAGES * 4096}))
    return [first[:-1], first[:-2], first[:-3]]
copies()
before = faults()
for _ in range({FRAMES}):
    copies()
print(faults() - before)
"""


def faults(*words: str) -> int:
    """Return how many pages were mapped while frames of a megabyte were copied."""
    return int(subprocess.check_output([sys.executable, "-c", SCRIPT, *words], text=True))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has no such options")
def test_the_copies_of_frames_lie_in_the_same_pages() -> None:
    """Without it, each of them is mapped page by page, again and again."""
    assert faults() > FRAMES * PAGES
    assert faults("kept") < FRAMES
