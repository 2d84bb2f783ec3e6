"""time-out: an answer is withheld until whoever waits for it gives up."""

from atleastonce.faults.scene import Scene

PATIENCE = 7.0
"""How long at the most, in seconds: above the 5 s that many clients wait. Then the link is cut."""


class TimeOut:
    """What a slow dependency, a full queue of a proxy or a lost packet does: the work is done, nobody learns of it."""

    allowed = "a network may delay anything for any time; what timed out may have been done"
    ends_service = False

    def strike(self, scene: Scene) -> None:
        """Keep back everything from this frame on."""
        scene.link.hold(PATIENCE)
