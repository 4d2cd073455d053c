"""The root image of a first build, bootstrapped while the virtual environment is still installed.

It begins only where the build would bootstrap the same root a little later: where the engine
holds none and no registry answers. Whatever is unusual or wrong is left to the build, which takes
the finished root, waits for one that is under way, or says what is wrong. The standard library is
enough for it.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.build import root_folder
from scripts.build.root_folder import REGISTRY_SECONDS
from scripts.common.errors import SutraError
from scripts.engine import socket_question

BAKE_FILE = Path("docker-bake.hcl")
VERSION = re.compile(r'^variable "DEBIAN_VERSION" \{ default = "([\w.-]+)" \}', re.MULTILINE)
# settings with which another root, or another builder's, may be meant
UNUSUAL = ("PLATFORMS", "BUILDER", "BUILDX_BUILDER")
# HTTP: the engine does not hold it; its registry did not answer, in the engine's own words
ABSENT, UNANSWERED = 404, 500


def main() -> int:
    """Bootstrap the root where the build would; return 0, as nothing depends on it."""
    # a shell's background process ignores the interrupts of a terminal
    signal.signal(signal.SIGINT, signal.default_int_handler)
    image = root_of_a_build(os.environ)
    if image and is_bootstrapped_by_a_build(image):
        try:
            root_folder.fill(image, root_folder.folder(image))
        except (SutraError, KeyboardInterrupt):
            return 0
    return 0


def root_of_a_build(environment: Mapping[str, str], bake_file: Path = BAKE_FILE) -> str:
    """Return the root image of a build ("debian:trixie-slim"), "" for an unusual one."""
    is_usual = environment.get("BASE", "debian") == "debian" and not any(
        environment.get(name) for name in UNUSUAL
    )
    if not is_usual or not socket_question.is_own_engine(environment):
        return ""
    default = VERSION.search(bake_file.read_text())
    version = environment.get("DEBIAN_VERSION") or (default[1] if default else "")
    return f"debian:{version}" if version else ""


def is_bootstrapped_by_a_build(image: str) -> bool:
    """Return whether `scripts.build.root_image.context` would come to bootstrap the root."""
    if root_folder.is_filled(root_folder.folder(image)):
        return False
    held, _ = socket_question.answer("images", image, REGISTRY_SECONDS)
    if held != ABSENT:
        return False
    status, text = socket_question.answer("distribution", image, REGISTRY_SECONDS)
    return status == UNANSWERED and socket_question.LIMIT not in text


if __name__ == "__main__":
    sys.exit(main())
