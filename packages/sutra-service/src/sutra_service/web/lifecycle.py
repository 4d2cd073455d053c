"""The state of this process: serving, draining, then closing.

`/health` is readiness: 503 once the process is to stop, so that nothing new is sent to it. `/live`
is liveness: it says only that the process answers, whatever its storage does.
"""

from enum import Enum

HEALTH = "/health"
LIVE = "/live"
# Asked every few seconds by machines: open to all, answered under any load, logged when it is ill.
PROBES = frozenset({HEALTH, LIVE})


class Stage(Enum):
    """Draining: not ready, but everything is still answered. Closing: only what has begun is."""

    SERVING = "serving"
    DRAINING = "draining"
    CLOSING = "closing"


class Lifecycle:
    """The stage of one process; the server moves it on, requests look at it."""

    def __init__(self) -> None:
        """Begin to serve."""
        self.stage = Stage.SERVING

    @property
    def stopping(self) -> bool:
        """Return whether connections should end with their next answer."""
        return self.stage is not Stage.SERVING

    def refuses(self, path: str) -> bool:
        """Return whether a new request for `path` is answered 503."""
        if path == LIVE or self.stage is Stage.SERVING:
            return False
        return path == HEALTH or self.stage is Stage.CLOSING
