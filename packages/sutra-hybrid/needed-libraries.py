"""Print the libraries that a package's extension modules name and a runtime root has not.

What a wheel brings along is found beside it; what was compiled here asks for the system's.

    eg: needed-libraries.py /opt/sutra/lib/python3.12/site-packages/sklearn /base
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile


def needed(file: Path) -> Iterator[str]:
    """Yield the libraries that a library names."""
    with file.open("rb") as stream:
        dynamic = ELFFile(stream).get_section_by_name(".dynamic")
        assert isinstance(dynamic, DynamicSection), file
        yield from (tag.needed for tag in dynamic.iter_tags("DT_NEEDED"))


def main(package: Path, root: Path) -> None:
    """Print one a line, in order."""
    named = {name for file in package.glob("**/*.so") for name in needed(file)}
    there = {file.name for folder in ("lib", "usr/lib") for file in (root / folder).glob("*.so*")}
    # musl knows itself by more names than one
    print(*sorted(named - there - {"libc.so"}), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
