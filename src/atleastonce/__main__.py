"""``python -m atleastonce`` is the command line."""

from atleastonce.cli import main

main()
