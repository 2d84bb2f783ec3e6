"""noop: nothing happens; it shows that a trap can be reached without harm."""

from atleastonce.faults.scene import Scene


class Noop:
    """The readable reference."""

    allowed = "nothing happened"
    ends_service = False

    def strike(self, scene: Scene) -> None:
        """Do nothing."""
