"""Where we keep what is the same for every run: ``~/.cache/atleastonce``, or beneath ``XDG_CACHE_HOME``."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder; it need not be there yet."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "atleastonce"


def keep_hypothesis_in_it() -> None:
    """Have Hypothesis keep its tables there, unless the user says where; else it makes a folder in the current one.

    It does so as soon as kio is imported, which registers its types with it.
    """
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(cache_folder() / "hypothesis"))
