"""What the services and the relay on RabbitMQ are compared with: loops around pika, and nothing else.

`drain URL COUNT` publishes so many messages, takes and acknowledges them one by one, and prints how many a second.
`pass_on URL FROM TO` consumes one queue: for each message one confirmed publish to the other, then the acknowledgement.
"""

import sys
import time
from collections.abc import Callable

import pika

BODY = b"x" * 200
PREFETCH = 200
PERSISTENT = pika.BasicProperties(delivery_mode=2)


def opened(url: str):
    """Return a channel of a connection of its own."""
    return pika.BlockingConnection(pika.URLParameters(url)).channel()


def drain(url: str, count: str) -> None:
    """Count the time from the first message to the last, not that of connecting and publishing."""
    channel, wanted = opened(url), int(count)
    queue = channel.queue_declare("", exclusive=True).method.queue
    for _ in range(wanted):
        channel.basic_publish("", queue, BODY)
    channel.basic_qos(prefetch_count=PREFETCH)
    began = time.perf_counter()
    for taken, (method, _, _) in enumerate(channel.consume(queue), start=1):
        channel.basic_ack(method.delivery_tag)
        if taken == wanted:
            break
    print(wanted / (time.perf_counter() - began))  # noqa: T201 - what it is asked for


def pass_on(url: str, source: str, target: str) -> None:
    """Go on until killed."""
    channel = opened(url)
    channel.confirm_delivery()
    channel.basic_qos(prefetch_count=PREFETCH)
    for method, _, body in channel.consume(source):
        channel.basic_publish("", target, body, PERSISTENT)
        channel.basic_ack(method.delivery_tag)


if __name__ == "__main__":
    ways: dict[str, Callable[..., None]] = {"drain": drain, "pass_on": pass_on}
    ways[sys.argv[1]](*sys.argv[2:])
