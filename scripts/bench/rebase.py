"""`make rebase` of all images beside a build of all of them from nothing, in one run.

Both are the product's own commands, in a copy of this checkout. Then bases that break the
services are put under them, each of which has to be refused by name. The engine's tags of the
images are put back at the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.table import Table

from scripts.bench import programs, rebuilds
from scripts.catalog import catalog
from scripts.common import git, terminal
from scripts.common.errors import CHECK_FAILED, OK, SutraError
from scripts.engine import client as engine
from scripts.engine import images, tags
from scripts.engine.move import Move

# a file of the base alone, and what a security update would have changed in it
CHANGED, LINE = "base-images/etc/nsswitch.conf", "# changed\n"
ALL = "from scripts.commands import prod; from scripts.engine import client; "
ALL += "raise SystemExit(prod.make(client.connect(), no_cache=True))"
# the place of a planted break: after the base's own proof, before its files get their time stamp
FINISH, BEFORE = "base-images/lib/finish-root.sh", "# not 0: "
DOCKERFILE, USER = "base-images/python-prod.Dockerfile", "USER 10001:10001"
# a planted break: the file, the text that is replaced, by what, and words of the line that names it
PLANTED: Mapping[str, tuple[str, str, str, str]] = {
    "another user": (DOCKERFILE, USER, "USER 999", 'another user "999", the service\'s files are'),
    "a library gone": (
        FINISH,
        BEFORE,
        'rm -f "$root"/usr/lib/*/libz.so.1*\n' + BEFORE,
        'library "libz.so.1" is gone, ',
    ),
    "symbol versions gone": (
        FINISH,
        BEFORE,
        'for f in "$root"/usr/lib/*/libcrypto.so.3; do '
        '[ ! -e "$f" ] || cp "${f%/*}/libz.so.1" "$f"; done\n' + BEFORE,
        'is gone from "libcrypto.so.3", ',
    ),
    "another Python": (
        FINISH,
        BEFORE,
        'f="$root/usr/bin/python3"; [ ! -e "${f}.13" ] || mv "${f}.13" "${f}.14"\n' + BEFORE,
        "another Python (3.14), the service is compiled for 3.13",
    ),
}


def main(options: argparse.Namespace) -> int:
    """Print both times and what was refused. Raises SutraError for a command that fails."""
    client = engine.connect()
    names = [image.name for image in catalog.load().images]
    with tempfile.TemporaryDirectory(prefix="sutra-bench-") as folder, restored(client, names):
        copy = Path(folder)
        committed(copy)
        say("builds all images without cache")
        built = rebuilds.timed([sys.executable, "-c", ALL], os.environ, copy)
        with (copy / CHANGED).open("a") as file:
            file.write(LINE)
        commit(copy)
        say("moves the services to the new base")
        moved = rebuilds.timed([sys.executable, "-m", "scripts", "rebase"], os.environ, copy)
        lines = {what: refused(copy, *planted) for what, planted in PLANTED.items()}
    show(built, moved, lines)
    return OK if all(lines.values()) else CHECK_FAILED


def committed(copy: Path) -> None:
    """Make a folder a clean checkout with this one's files, environment and root images."""
    rebuilds.checkout(copy)
    for name in (".venv", ".cache"):
        (copy / name).symlink_to(Path(name).resolve())
    git.ask("init", "--quiet", folder=copy)
    # .gitignore names folders, which links are not
    (copy / ".git/info/exclude").write_text("/.venv\n/.cache\n")
    git.ask("add", "--all", folder=copy)
    commit(copy)


def commit(copy: Path) -> None:
    """Commit what a folder has."""
    who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    git.ask(*who, "commit", "--quiet", "--all", "--message", "as it is", folder=copy)


@contextmanager
def restored(client: engine.Client, names: list[str]) -> Iterator[None]:
    """Put all tags of these images back where they were; one that was not there goes."""
    before = _tags(client, names)
    try:
        yield
    finally:
        after = _tags(client, names)
        moves = [Move(tag, before.get(tag), now) for tag, now in after.items()]
        tags.revert(client, moves)


def _tags(client: engine.Client, names: list[str]) -> dict[str, str]:
    references = [f"{name}:{tag}" for name in names for tag in images.repository_tags(client, name)]
    return {tag: now for tag in references if (now := tags.current(client, tag))}


def refused(copy: Path, file: str, text: str, planted: str, words: str) -> str:
    """Build bases with a planted break; return the line that refuses them, "" without one."""
    path = copy / file
    before = path.read_text()
    path.write_text(before.replace(text, planted))
    try:
        rebuilds.timed([sys.executable, "-m", "scripts", "build", "bases"], os.environ, copy)
    finally:
        path.write_text(before)
    command = [sys.executable, "-m", "scripts", "rebase", "--built", "--allow-dirty"]
    done = programs.run(command, folder=copy)
    if done.returncode != CHECK_FAILED:
        raise SutraError(f'bench: not refused: "{planted}"', done.stderr[-500:].strip())
    return next((line for line in done.stderr.splitlines() if words in line), "")


def say(what: str) -> None:
    """Print a line of progress."""
    print(f"bench: {what}", file=sys.stderr, flush=True)


def show(built: float, moved: float, lines: Mapping[str, str]) -> None:
    """Print both times with their ratio, and what each break was refused with."""
    table = Table("what", "s", "ratio", title="a new base under the services")
    table.add_row("make prod without cache", f"{built:.1f}", "1.00×")
    table.add_row("make rebase", f"{moved:.1f}", f"{moved / built:.2f}×")
    terminal.console().print(table)
    for what, line in lines.items():
        print(f"{what}: {line or 'NOT NAMED'}")
