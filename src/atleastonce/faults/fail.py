"""fail: a service that is asked over HTTP answers 503, without having done anything."""

from atleastonce.faults.scene import Scene


class Fail:
    """What an overloaded dependency, one that starts or one behind a proxy does."""

    allowed = "a dependency may fail at any moment; it may be asked again"
    ends_service = False

    def strike(self, scene: Scene) -> None:
        """Answer in its place; the request that was due does not reach it."""
        scene.link.fail()
