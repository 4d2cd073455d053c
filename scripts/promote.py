"""Move `:latest` to the images that passed every check in this call, all or none."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from scripts import catalog, engine, growth, ratchet, report, tags, verify_sizes
from scripts.catalog import Catalog
from scripts.errors import CHECK_FAILED, OK, run
from scripts.tags import Move

TAG = "latest"


def plan(client: engine.Client, promises: Catalog, verified: Mapping[str, str]) -> list[Move]:
    """Return the moves that would promote `verified` (name → the engine's id of the image)."""
    promoted = (image.name for image in promises.images if not image.not_promoted_because)
    return tags.plan(client, {f"{name}:{TAG}": verified[name] for name in promoted})


def describe(move: Move) -> str:
    """Return one line: tag, from digest, to digest."""
    if move.before == move.after:
        return f"{move.tag}: {_short(move.after)} (unchanged)"
    return f"{move.tag}: {_short(move.before)} → {_short(move.after)}"


def _short(identity: str | None) -> str:
    return identity.rpartition(":")[2][:12] if identity else "(none)"


def main() -> int:
    """Verify the images as they are now, show the table, and promote what passed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.promote", description=__doc__)
    parser.add_argument(
        "--dry-run", action="store_true", help="show which tags would move, and move none"
    )
    return verify_and_promote(engine.connect(), parser.parse_args().dry_run)


def verify_and_promote(client: engine.Client, dry_run: bool = False) -> int:
    """Verify all images, promote them when every check passed, and end with the table."""
    promises = catalog.load()
    ratchet.refuse_raises(promises)
    measured = verify_sizes.measure_all(client, promises)
    why = growth.since_promoted(client, promises, measured)
    results = verify_sizes.verify(promises, measured, why)
    passed = all(result.ok for result in results)
    moves = plan(client, promises, {name: found.id for name, found in measured.items()})
    if passed and not dry_run:
        tags.apply(client, moves)
    verb = "not promoted" if not passed else "would promote" if dry_run else "promoted"
    for move in moves:
        print(f"{verb} {describe(move)}", file=sys.stderr, flush=True)
    report.show(results)
    return OK if passed else CHECK_FAILED


if __name__ == "__main__":
    run(main)
