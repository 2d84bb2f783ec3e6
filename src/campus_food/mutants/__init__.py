"""The zoo: each module is a reference service with exactly one thing wrong, which a check must find."""

# Name: the module to run with `python -m`, the promise it breaks first, the broker it needs.
MUTANTS = {
    "ack-first": ("campus_food.mutants.ack_first", "nothing-lost", "rabbitmq"),
    "no-dedupe": ("campus_food.mutants.no_dedupe", "effects-once", "rabbitmq"),
    "auto-commit-early": ("campus_food.mutants.auto_commit_early", "nothing-lost", "kafka"),
}
