"""Let numpy and scipy use one OpenBLAS, and drop the libraries that nothing is taken from.

numpy was built to ask for `libscipy_openblas.so` (build-numpy.sh); scipy's wheel carries
that library under a name of its own. A wheel may also name libraries at whose functions
it never looks, as scipy's `_fblas` does with libgfortran; linked `--as-needed`, it would not.

    eg: share-libraries.py /opt/sutra/lib/python3.13/site-packages
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

OPENBLAS = "libscipy_openblas.so"


def needed(file: Path) -> list[str]:
    """Return the libraries that a library names."""
    with file.open("rb") as stream:
        dynamic = ELFFile(stream).get_section_by_name(".dynamic")
        assert isinstance(dynamic, DynamicSection), file
        return [tag.needed for tag in dynamic.iter_tags("DT_NEEDED")]


def symbols(file: Path, defined: bool) -> set[str]:
    """Return the names that a library offers, or those that it asks for."""
    with file.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".dynsym")
        assert isinstance(table, SymbolTableSection), file
        return {
            symbol.name
            for symbol in table.iter_symbols()
            if symbol.name and (symbol["st_shndx"] != "SHN_UNDEF") == defined
        }


def patch(file: Path, *options: str) -> None:
    """Change what a library names."""
    subprocess.run(["patchelf", *options, str(file)], check=True)


def share_openblas(site: Path) -> int:
    """Point numpy at scipy's OpenBLAS; return how many libraries were."""
    (openblas,) = site.glob("scipy.libs/libscipy_openblas-*.so")
    count = 0
    for file in site.glob("numpy/**/*.so"):
        if OPENBLAS in needed(file):
            folder = os.path.relpath(openblas.parent, file.parent)
            patch(file, "--replace-needed", OPENBLAS, openblas.name)
            patch(file, "--set-rpath", f"$ORIGIN/{folder}")
            count += 1
    return count


def unused(site: Path, vendored: dict[str, Path]) -> Iterator[tuple[Path, str]]:
    """Yield each library with a vendored one that it names and takes nothing from."""
    offered = {name: symbols(file, True) for name, file in vendored.items()}
    for file in [*site.glob("**/*.so"), *vendored.values()]:
        asked = symbols(file, False)
        for name in needed(file):
            if name in offered and not asked & offered[name]:
                yield file, name


def main(site: Path) -> int:
    """Share, drop and print what was done."""
    shared = share_openblas(site)
    if not shared:
        print(f"share-libraries: nothing in numpy asks for {OPENBLAS}", file=sys.stderr)
        return 1
    print(f"{shared} libraries of numpy use scipy's OpenBLAS")
    vendored = {file.name: file for file in site.glob("*.libs/*.so*")}
    for file, name in set(unused(site, vendored)):
        patch(file, "--remove-needed", name)
        print(f"{file.relative_to(site)} takes nothing from {name}")
    # a library that is not asked for any more may be the last that asks for another
    while idle := vendored.keys() - {
        name for file in [*site.glob("**/*.so"), *vendored.values()] for name in needed(file)
    }:
        for name in sorted(idle):
            file = vendored.pop(name)
            print(f"{file.relative_to(site)} is needed by none: {file.stat().st_size} bytes")
            file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
