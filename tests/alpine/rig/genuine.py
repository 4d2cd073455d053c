"""Take the installed packages of an Alpine system apart: files, info and triggers.

apk's database names every file of a package, with all that an index has to say of it.

    eg: genuine.py /disk /packages curl libcurl
"""

from __future__ import annotations

import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

# field of `apk mkpkg --info` for each letter of the database
FIELDS = {
    "P": "name",
    "V": "version",
    "T": "description",
    "U": "url",
    "L": "license",
    "o": "origin",
    "D": "depends",
    "p": "provides",
}


def paragraphs(text: str) -> Iterator[list[tuple[str, str]]]:
    """Yield each package's lines as (letter, value)."""
    for paragraph in text.strip().split("\n\n"):
        yield [(key, value) for key, _, value in (x.partition(":") for x in paragraph.splitlines())]


def files(lines: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the paths that a package owns."""
    folder = ""
    for key, value in lines:
        if key == "F":
            folder = value
        elif key == "R":
            yield f"{folder}/{value}"


def main(disk: Path, packages: Path, wanted: set[str]) -> int:
    """Write a folder for each requested package; print the missing ones."""
    database = disk / "lib/apk/db"
    triggers = dict(
        (checksum, folders)
        for checksum, _, folders in (
            line.partition(" ") for line in (database / "triggers").read_text().splitlines()
        )
    )
    for lines in paragraphs((database / "installed").read_text()):
        name = dict(lines)["P"]
        if name not in wanted:
            continue
        wanted.remove(name)
        place = packages / name
        for path in files(lines):
            target = place / "files" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(disk / path, target, follow_symlinks=False)
        info = [f"{FIELDS[key]}:{value}" for key, value in lines if key in FIELDS]
        (place / "info").write_text("\n".join([*info, "arch:x86_64", ""]))
        checksum = dict(lines)["C"]
        if checksum in triggers:
            (place / "triggers").write_text("\n".join([*triggers[checksum].split(), ""]))
            write_scripts(database, f"{name}-{dict(lines)['V']}.", place / "scripts")
    if wanted:
        print(f"genuine: not on the disk: {', '.join(sorted(wanted))}", file=sys.stderr)
    return bool(wanted)


def write_scripts(database: Path, beginning: str, folder: Path) -> None:
    """Write the package's scripts, each named by its kind."""
    folder.mkdir()
    (archive,) = database.glob("scripts.tar*")
    with tarfile.open(archive) as scripts:
        for member in scripts:
            # name-version.Qchecksum.kind
            if member.name.startswith(beginning):
                content = scripts.extractfile(member)
                assert content
                (folder / member.name.rpartition(".")[2]).write_bytes(content.read())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), set(sys.argv[3:])))
