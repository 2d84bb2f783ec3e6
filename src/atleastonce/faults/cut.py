"""cut: the connection between the service and the broker breaks."""

from atleastonce.faults.scene import Scene


class Cut:
    """What a network failure, a load balancer's idle limit or a broker's restart does to a link."""

    allowed = "a connection may break at any moment; unacknowledged messages are redelivered"
    ends_service = False

    def strike(self, scene: Scene) -> None:
        """Reset the subject's side; what was passed to the broker still arrives there."""
        scene.link.cut()
