"""kill: the service dies by SIGKILL, with everything it had not sent yet."""

from atleastonce.faults.scene import Scene


class Kill:
    """What an out-of-memory kill, a node failure or a hard deployment does."""

    allowed = "a process may die at any moment; unacknowledged messages are redelivered"
    ends_service = True

    def strike(self, scene: Scene) -> None:
        """Kill the service; its links are buried before it is started again."""
        scene.kill_service()
