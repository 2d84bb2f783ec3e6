"""Keeps one file per message; with CAREFUL=no it marks the message first, in another thread than its effect.

``python ledger.py show FOLDER ID`` prints what is kept of a message, and how many there are.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pika


def show(folder: Path, identity: str) -> None:
    """Print what an observer may see."""
    kept = folder / f"{identity}.kept"
    total = len(list(folder.glob("*.kept")))
    sys.stdout.write(json.dumps({"kept": kept.read_text() if kept.exists() else None, "total": total}))


def keep(folder: Path, identity: str) -> None:
    """Put the file of a message there as a whole, or not at all."""
    draft = folder / f"{identity}.draft"
    draft.write_text("kept")
    draft.replace(folder / f"{identity}.kept")


def main(folder: Path, *, careful: bool) -> None:
    """Consume; a careless service forgets a message that was marked by a life that ended too early."""
    pool = ThreadPoolExecutor(2)
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    channel.queue_declare("in", durable=True)

    def handle(_channel: object, method: pika.spec.Basic.Deliver, _properties: object, body: bytes) -> None:
        identity = json.loads(body)["id"]
        mark = folder / f"{identity}.mark"
        if careful or not mark.exists():
            if not careful:
                pool.submit(mark.write_text, "seen").result()
            pool.submit(keep, folder, identity).result()
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume("in", handle)
    channel.start_consuming()


if __name__ == "__main__":
    if sys.argv[1:2] == ["show"]:
        show(Path(sys.argv[2]), sys.argv[3])
    else:
        main(Path(os.environ["DATA_DIR"]), careful=os.environ["CAREFUL"] == "yes")
