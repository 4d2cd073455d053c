"""Record the system calls of a service, and write its profile: what it may call in production."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from scripts.catalog import catalog
from scripts.checks.runtime import seccomp_profile, seccomp_recording
from scripts.checks.runtime.seccomp_recording import Recorded
from scripts.checks.runtime.system_call_names import allowed
from scripts.common import arguments
from scripts.common.errors import OK
from scripts.engine import client as engine
from scripts.engine import images


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("image", help="a service of images.yaml")
    arguments.flag(parser, "dry-run", "show the difference and write nothing")


def differences(
    before: frozenset[str], needed: frozenset[str], recorded: Recorded
) -> Iterator[str]:
    """Yield a line for each call that is added, and one for those that were not needed."""
    for name in sorted(needed - before):
        why = "" if name in recorded.names else ", for what was seen or for all services"
        yield f"+ {name}{why}"
    if unseen := sorted(before - needed):
        yield f"allowed and not seen, remove by hand what nobody needs: {', '.join(unseen)}"


def main(options: argparse.Namespace) -> int:
    """Record one run of a service, show what is new, and write the profile unless DRY_RUN."""
    is_dry = arguments.is_set(options, "DRY_RUN")
    promises = catalog.load()
    image = promises.find(options.image)
    file = seccomp_profile.file_of(image)
    before = seccomp_profile.names_in(image) if file.exists() else frozenset[str]()
    client = engine.connect()
    inspected = images.inspect(client, image.reference)
    if inspected is None:
        raise promises.not_built(image, image.reference)
    recorded = seccomp_recording.record(client, promises, image, inspected)
    needed = allowed(recorded.names)
    for answer in recorded.answers:
        print(f"{answer.request.shown}: {answer.status}")
    for line in differences(before, needed, recorded):
        print(line)
    names = before | needed
    if names != before and not is_dry:
        seccomp_profile.write(file, names)
    outcome = "unchanged" if names == before else "not written" if is_dry else "written"
    shared = len(allowed(()))
    print(f"{file}: {outcome}: {len(names)} calls allowed, {shared} of them to all services")
    return OK
