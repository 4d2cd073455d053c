"""Take newer versions into the locks; what would be written is shown first."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from scripts.catalog import catalog
from scripts.commands.outdated import show
from scripts.common import arguments
from scripts.common.errors import OK, SutraError
from scripts.common.text import counted
from scripts.debian import archive, builders_lock, packages_lock, updates
from scripts.debian.archive import Archive
from scripts.debian.packages_lock import Lock
from scripts.sbom import lock_copies, outdated, take_updates
from scripts.sbom.take_updates import DEBIAN, ONLY, SECURITY

KNOB = "ONLY"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(parser, "only", "security updates, or Debian's packages", (SECURITY, DEBIAN))
    arguments.flag(parser, "dry-run", "show what would be written")


def main(options: argparse.Namespace) -> int:
    """Show what is newer, then write it into the locks; ONLY=debian locks Debian's anew."""
    knobs = arguments.knobs(options)
    only, dry_run = knobs.get(KNOB, ""), arguments.is_set(options, "DRY_RUN")
    if only not in ONLY:
        raise SutraError(f'{KNOB}: unknown "{only}"', f"{KNOB}={SECURITY} or {KNOB}={DEBIAN}")
    if only == DEBIAN:
        return _debian(knobs, dry_run)
    images = [image.name for image in catalog.load().images]
    report = outdated.find(images, knobs)
    if report.problem:
        raise report.problem
    rows = take_updates.chosen(report.rows, only)
    if rows:
        show(rows)
    if only == SECURITY and (names := take_updates.unknown(report.rows)):
        print(f"update: not known whether newer ones are security updates: {', '.join(names)}")
    if dry_run or not rows:
        print(_end(len(rows), dry_run, only))
        return OK
    take_updates.take(report, rows, only, os.environ)
    held = take_updates.held_back(rows, images)
    taken = len({(row.kind, row.name) for row in rows}) - len(held)
    ending = f"; held back by what needs the earlier one: {', '.join(held)}" if held else ""
    print(f"{_taken(taken, dry_run)}{ending}")
    return OK


def _end(number: int, dry_run: bool, only: str) -> str:
    if not number:
        reason = "no security update is known" if only == SECURITY else "every lock has the newest"
        return f"update: {reason}, nothing was written"
    return _taken(number, dry_run)


def _taken(number: int, dry_run: bool) -> str:
    was = "would be" if dry_run else "was" if number == 1 else "were"
    return f"update: {counted(number, 'version')} {was} taken into the locks"


def _debian(knobs: dict[str, str], dry_run: bool) -> int:
    """Lock the packages that the Dockerfiles name, whatever the lock has now."""
    suite = archive.suite_of(knobs)
    with archive.opened(suite, knobs) as place:
        locks = _newest(place)
    changes = {path: packages_lock.changes(lock, path) for path, lock in locks.items()}
    for lines in changes.values():
        for line in lines:
            print(line)
    if not dry_run:
        with lock_copies.all_or_none(lambda: locks):
            for path, lock in locks.items():
                packages_lock.write(lock, path)
    for path, lines in changes.items():
        print(f"{path}: {_end(len(lines), dry_run, DEBIAN).removeprefix('update: ')}")
    return OK


def _newest(place: Archive) -> dict[Path, Lock]:
    """Return the new locks by their files: of the bases, and of what builds them, if anything."""
    names, built_by = packages_lock.sliced(), builders_lock.names()
    offers = updates.offers_of(names, place)
    locks = {packages_lock.LOCK: updates.newest_lock(place.suite, names, offers, place.day)}
    if built_by:
        locks[builders_lock.LOCK] = builders_lock.newest(place, built_by)
    return locks
