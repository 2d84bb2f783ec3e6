"""pause: the service stands still for a while at a write point, and others go on."""

from atleastonce.faults.scene import Scene


class Pause:
    """What a full disk, a collection of garbage or a machine that has too much to do does to a process."""

    allowed = "a process may stand still at any moment, for any time; others go on meanwhile"
    ends_service = False

    def strike(self, scene: Scene) -> None:
        """Do nothing: what has stopped the service at its system call holds it, until the runner lets it go on."""
