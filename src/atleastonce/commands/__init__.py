"""One module per command: reads its options, runs the stages, returns the exit code."""
