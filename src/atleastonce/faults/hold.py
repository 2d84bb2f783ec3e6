"""hold: the link stands still, in both directions, until the runner releases it."""

from atleastonce.faults.scene import Scene


class Hold:
    """What a full buffer or a stalled broker does; also how a message is kept back for a write point."""

    allowed = "a network may delay anything for any time"
    ends_service = False

    def strike(self, scene: Scene) -> None:
        """Keep back everything from this frame on."""
        scene.link.hold()
