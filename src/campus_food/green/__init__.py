"""Services that do it in other ways than the reference, and are as correct: no check may accuse them."""

from campus_food.mutants import Mutant

GREEN: dict[str, Mutant] = {
    "upsert": Mutant("campus_food.green.upsert", "", "rabbitmq"),
    "stable-output-id": Mutant("campus_food.green.stable_output_id", "", "rabbitmq"),
    "batch-acks": Mutant("campus_food.green.batch_acks", "", "rabbitmq"),
    "answers-duplicates": Mutant("campus_food.green.answers_duplicates", "", "rabbitmq"),
    "counter": Mutant("campus_food.green.counter", "", "rabbitmq"),
    "fresh-connections": Mutant("campus_food.green.fresh_connections", "", "http", contract="rest"),
}
"""By name, in the form of `MUTANTS`, breaking nothing."""
