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
class Report:
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
    for share in floor.shares:
        counts = str(share.files), str(share.opened_files)
        drawn.add_row(printable(name_of(share.owner)), *counts, *_sizes(share.bytes, share.opened))
    files = sum(share.files for share in floor.shares), sum(e.opened_files for e in floor.shares)
    drawn.add_section()
    drawn.add_row("all", *map(str, files), *_sizes(floor.bytes, floor.opened))
    return drawn


def _sizes(all_bytes: int, opened: int) -> tuple[str, str, str]:
    return format_size(all_bytes), format_size(opened), format_size(all_bytes - opened)


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


def proposal_lines(image: str, report: Report) -> list[str]:
    """Return the proposals as rules of a manifest, and what is not proposed and why."""
    proposed, proof = report.proposed or Proposals([], 0, {}), report.proof
    good = [rule for rule in proposed.rules if rule.glob not in proof.broken]
    notes = {rule.glob: outcome(rule.glob, proof) for rule in good}
    lines = proposals.as_yaml(good[:MOST], why(report.traced), notes)
    if not_shown := good[MOST:]:
        bytes_not_shown = format_size(sum(proposal.bytes for proposal in not_shown))
        lines.append(f"# {len(not_shown)} more proposals of {bytes_not_shown}: FORMAT=json")
    for rule in proposed.rules:
        if reason := proof.broken.get(rule.glob):
            lines.append(f'# not proposed: "{rule.glob}", {rule.bytes:,} bytes: {reason}')
    for owner, size in sorted(proposed.unused.items(), key=lambda item: -item[1]):
        lines.append(
            f"# no module of {owner} was opened, {format_size(size)}: "
            "does the lock need it? no rule may empty a package"
        )
    lines.append(f"# too small to propose: {proposed.smaller:,} bytes")
    lines += [f"# {NOT_TRIED}: {proof.why}"] if NOT_TRIED in notes.values() else []
    return [*lines, f"# {next_steps(image)}"] if good else lines


def as_json(image: str, report: Report) -> str:
    """Return everything as JSON; sizes are bytes."""
    owners = [
        {**asdict(share.owner), **{k: v for k, v in asdict(share).items() if k != "owner"}}
        for share in report.floor.shares
    ]
    proposed = report.proposed
    rules = [
        {
            **asdict(rule),
            "why": why(report.traced),
            "tried": outcome(rule.glob, report.proof),
            "broke": report.proof.broken.get(rule.glob, ""),
        }
        for rule in (proposed.rules if proposed else ())
    ]
    content = {
        "image": report.reference,
        "bytes": report.floor.bytes,
        "opened": report.floor.opened,
        "owners": owners,
        "unopened": report.floor.unopened,
        "answers": [
            {"request": answer.request.shown, "status": answer.status}
            for answer in report.traced.answers
        ],
        "proposals": rules,
        "smaller": proposed.smaller if proposed else None,
        "unused": proposed.unused if proposed else None,
        "not_tried_because": report.proof.why,
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


def show(image: str, report: Report) -> None:
    """Print the table, the answers of the requests, and the proposals."""
    console = terminal.console()
    console.print(f"{report.reference}: opened from start to stop", markup=False)
    console.print(table(report.floor))
    for answer in report.traced.answers:
        line = f"{answer.request.shown}: {answer.status}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if report.proposed is None:
        lines = ["no cleanup manifest: no rule to propose"]
    else:
        lines = proposal_lines(image, report)
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
    inspected = images.inspect(client, image.reference)
    if inspected is None:
        raise promises.not_built(image, image.reference)
    traced = service_trace.record(client, promises, image, inspected, requests)
    inside = inventory.read(client, inspected["Id"])
    if inside is None:
        raise promises.not_built(image, image.reference)
    floor = shares.of(inside, traced.opened)
    proposed = propose(image, inside, floor)
    globs = [rule.glob for rule in proposed.rules] if proposed else []
    if globs:
        print(f"floor: trying {len(globs)} proposals, a minute or more", file=sys.stderr)
    report = Report(image.reference, floor, traced, proposed, prove(client, inspected["Id"], globs))
    if form == "json":
        print(as_json(image.name, report))
    else:
        show(image.name, report)
    return OK
