"""Show which bytes of a service's image are opened, by owner, and propose cleanup rules."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table
from sutra_cleanup import manifest as manifests
from sutra_cleanup.errors import CleanupError

from scripts.catalog import catalog
from scripts.catalog.catalog import Image
from scripts.catalog.cleanup_manifests import find_manifest
from scripts.checks.runtime import requests_file
from scripts.common import arguments, terminal
from scripts.common.errors import OK, SutraError
from scripts.common.text import counted, printable
from scripts.common.units import format_size
from scripts.engine import client as engine
from scripts.engine import images
from scripts.floor import proposals, service_trace, shares
from scripts.floor.proof import Proof, prove
from scripts.floor.proposals import Proposals
from scripts.floor.service_trace import Traced
from scripts.floor.shares import Floor
from scripts.image import inventory
from scripts.image.inventory import Inventory, Owner

FORMATS = ("table", "json")
# outcomes of a proposal
NOT_TRIED, PROVEN, BROKEN = "not tried", "proven", "broken"
NO_PROOF = Proof()
# proposals that are printed; JSON has all
MOST = 30


@dataclass(frozen=True)
class Seen:
    """What one run of an image opened, and what could leave it; None without a manifest."""

    reference: str
    floor: Floor
    traced: Traced
    proposed: Proposals | None
    proof: Proof = NO_PROOF


def name_of(owner: Owner) -> str:
    """Return an owner as people know it: "scipy 1.18.0"."""
    return f"{owner.name} {owner.version}".strip()


def table(floor: Floor) -> Table:
    """Return a row an owner, the most unopened bytes first, and one for all."""
    drawn = Table("owner", "files", "opened", "bytes", "opened", "not opened")
    for column in drawn.columns[1:]:
        column.justify = "right"
    for each in floor.shares:
        counts = str(each.files), str(each.opened_files)
        drawn.add_row(printable(name_of(each.owner)), *counts, *_sizes(each.bytes, each.opened))
    files = sum(each.files for each in floor.shares), sum(e.opened_files for e in floor.shares)
    drawn.add_section()
    drawn.add_row("all", *map(str, files), *_sizes(floor.bytes, floor.opened))
    return drawn


def _sizes(whole: int, opened: int) -> tuple[str, str, str]:
    return format_size(whole), format_size(opened), format_size(whole - opened)


def why(traced: Traced) -> str:
    """Return the beginning of a rule's reason, which a person has to complete."""
    requests = counted(len(traced.answers), "request") if traced.answers else "no request"
    return f"TODO: why is it never needed? unopened by start, health check, {requests} and stop"


def next_steps(image: str) -> str:
    """Return what a person does with the proposals."""
    return (
        f"add those that you know a reason for to packages/{image}/cleanup.yaml; `make build` "
        "imports every module that stays and names the rule that broke one; then "
        f"`make test-package PACKAGE={image}` and `make verify-runtime`"
    )


def outcome(glob: str, proof: Proof) -> str:
    """Return whether a proposal was tried, and how that ended."""
    if glob in proof.proven:
        return PROVEN
    return BROKEN if glob in proof.broken else NOT_TRIED


def proposal_lines(image: str, seen: Seen) -> list[str]:
    """Return the proposals as rules of a manifest, and what is not proposed and why."""
    proposed, proof = seen.proposed or Proposals([], 0, {}), seen.proof
    good = [rule for rule in proposed.rules if rule.glob not in proof.broken]
    notes = {rule.glob: outcome(rule.glob, proof) for rule in good}
    lines = proposals.as_yaml(good[:MOST], why(seen.traced), notes)
    if rest := good[MOST:]:
        left = format_size(sum(each.bytes for each in rest))
        lines.append(f"# {len(rest)} more proposals of {left}: FORMAT=json")
    for rule in proposed.rules:
        if said := proof.broken.get(rule.glob):
            lines.append(f'# not proposed: "{rule.glob}", {rule.bytes:,} bytes: {said}')
    for owner, size in sorted(proposed.unused.items(), key=lambda item: -item[1]):
        lines.append(
            f"# no module of {owner} was opened, {format_size(size)}: "
            "does the lock need it? no rule may empty a package"
        )
    lines.append(f"# too small to propose: {proposed.smaller:,} bytes")
    lines += [f"# {NOT_TRIED}: {proof.why}"] if NOT_TRIED in notes.values() else []
    return [*lines, f"# {next_steps(image)}"] if good else lines


def as_json(image: str, seen: Seen) -> str:
    """Return everything as JSON; sizes are bytes."""
    owners = [
        {**asdict(each.owner), **{k: v for k, v in asdict(each).items() if k != "owner"}}
        for each in seen.floor.shares
    ]
    proposed = seen.proposed
    rules = [
        {
            **asdict(each),
            "why": why(seen.traced),
            "tried": outcome(each.glob, seen.proof),
            "broke": seen.proof.broken.get(each.glob, ""),
        }
        for each in (proposed.rules if proposed else ())
    ]
    content = {
        "image": seen.reference,
        "bytes": seen.floor.bytes,
        "opened": seen.floor.opened,
        "owners": owners,
        "unopened": seen.floor.unopened,
        "answers": [
            {"request": each.request.shown, "status": each.status} for each in seen.traced.answers
        ],
        "proposals": rules,
        "smaller": proposed.smaller if proposed else None,
        "unused": proposed.unused if proposed else None,
        "not_tried_because": seen.proof.why,
        "next_steps": next_steps(image),
    }
    return json.dumps(content, indent=2)


def propose(image: Image, inside: Inventory, floor: Floor) -> Proposals | None:
    """Return the proposals for an image, None for one without a cleanup manifest."""
    place = find_manifest(image.name)
    if place is None:
        return None
    try:
        return proposals.of(inside, floor, manifests.load(place))
    except CleanupError as error:
        raise SutraError(error.message, error.tip) from error


def show(image: str, seen: Seen) -> None:
    """Print the table, the answers of the requests, and the proposals."""
    console = terminal.console()
    console.print(f"{seen.reference}: opened from start to stop", markup=False)
    console.print(table(seen.floor))
    for each in seen.traced.answers:
        line = f"{each.request.shown}: {each.status}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if seen.proposed is None:
        lines = ["no cleanup manifest: no rule to propose"]
    else:
        lines = proposal_lines(image, seen)
    for line in lines:
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("image", help="a service of images.yaml")
    arguments.value(parser, "requests", "a file with requests that it is sent: `GET /path` a line")
    arguments.value(parser, "format", "how to print", FORMATS)


def main(options: argparse.Namespace) -> int:
    """Trace one run of a service, and print what it opened and what it did not."""
    form = arguments.output_format(options, FORMATS)
    promises = catalog.load()
    image = promises.find(options.image)
    file = arguments.knobs(options).get("REQUESTS")
    requests = requests_file.read(Path(file)) if file else []
    client = engine.connect()
    known = images.inspect(client, image.reference)
    if known is None:
        raise promises.not_built(image, image.reference)
    traced = service_trace.record(client, promises, image, known, requests)
    inside = inventory.read(client, known["Id"])
    if inside is None:
        raise promises.not_built(image, image.reference)
    floor = shares.of(inside, traced.opened)
    proposed = propose(image, inside, floor)
    globs = [rule.glob for rule in proposed.rules] if proposed else []
    if globs:
        print(f"floor: trying {len(globs)} proposals, a minute or more", file=sys.stderr)
    seen = Seen(image.reference, floor, traced, proposed, prove(client, known["Id"], globs))
    if form == "json":
        print(as_json(image.name, seen))
    else:
        show(image.name, seen)
    return OK
