"""Copy what pyproject.toml puts into the wheel to where the image has it.

eg: copy_modules.py CHECKOUT /app
"""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path


def main(checkout: Path, target: Path) -> None:
    """Copy each file and folder of `force-include`, without what Python left there."""
    project = checkout / "packages/sutra-images"
    content = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    listed = content["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for source, place in listed.items():
        original, new = (project / source).resolve(), target / place
        new.parent.mkdir(parents=True, exist_ok=True)
        if original.is_dir():
            shutil.copytree(original, new, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(original, new)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
