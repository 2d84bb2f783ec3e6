"""stop: the service is asked to end (SIGTERM), while it may be at work."""

from atleastonce.faults.scene import Scene


class Stop:
    """What every deployment, scale-in and restart by an orchestrator does."""

    allowed = "a process may be asked to end at any moment; what it has not acknowledged is redelivered"
    ends_service = True

    def strike(self, scene: Scene) -> None:
        """Ask the service to end; whatever it sends until then passes."""
        scene.stop_service()
