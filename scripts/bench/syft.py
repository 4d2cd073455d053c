"""syft, a scanner that looks for packages everywhere, as benches start it.

It is no dependency: the one that Go's module proxy serves is 126 MB, and compiling it takes five
processor minutes.
"""

from __future__ import annotations

import os
from pathlib import Path

NAME = "syft"
MODULE = "github.com/anchore/syft/cmd/syft@v1.57.0"
INSTALL = f"`go install {MODULE}` puts it into ~/go/bin, which has to be on PATH"


def command(program: str, source: str) -> list[str]:
    """Return the command that writes the packages of "docker:IMAGE" or of an archive as SPDX."""
    return [program, "scan", source, "--output", "spdx-json", "--quiet"]


def environment(cache: Path) -> dict[str, str]:
    """Return variables with which it asks its maker for no newer version, and caches there."""
    return {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false", "SYFT_CACHE_DIR": str(cache)}
