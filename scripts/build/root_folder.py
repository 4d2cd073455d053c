"""The folder of a bootstrapped root image, filled once, whatever runs want it at the same time."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from scripts.build import bootstrap
from scripts.common import locks, platforms
from scripts.common.errors import SutraError

CACHE = Path(".cache/roots")
# A registry that is up answers in well under a second; one that is not must not cost minutes.
REGISTRY_SECONDS = 5
# A bootstrap takes a minute or two, under emulation four times that.
BOOTSTRAP_SECONDS = 900


def folder(image: str, architecture: str = platforms.OWN, cache: Path = CACHE) -> Path:
    """Return the layout of a bootstrapped root: "debian-trixie-slim", or with "-arm64"."""
    return cache / platforms.suffixed(architecture, image.replace(":", "-"))


def is_filled(layout: Path) -> bool:
    """Return whether a root was bootstrapped there."""
    return (layout / "index.json").exists()


def fill(image: str, layout: Path, fresh: bool = False, architecture: str = platforms.OWN) -> None:
    """Bootstrap a root, once where several runs of one checkout want the same at once."""
    lock = layout.parent.with_suffix(".lock")  # not in the folder, where each name is a root
    with ExitStack() as stack:
        try:
            stack.enter_context(locks.held(lock, BOOTSTRAP_SECONDS, "bootstraps a root"))
        except OSError as error:
            raise SutraError(
                f'roots: cannot write "{lock}": {error.strerror}', f"`ls -ld {lock.parent}`"
            ) from error
        if fresh or not is_filled(layout):
            bootstrap.bootstrap(image, layout, architecture=architecture)
