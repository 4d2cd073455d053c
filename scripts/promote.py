"""Move `:latest` to the images that passed every check in this call, all or none."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import docker

from scripts import catalog, engine, report, verify_sizes
from scripts.catalog import Catalog
from scripts.errors import CHECK_FAILED, OK, run

TAG = "latest"


@dataclass(frozen=True)
class Move:
    """One tag, the image that it is on (None: not there yet), and the one that it goes to."""

    tag: str
    before: str | None
    after: str


def plan(client: docker.DockerClient, promises: Catalog, verified: Mapping[str, str]) -> list[Move]:
    """Return the moves that would promote `verified` (name → the engine's id of the image)."""
    moves = []
    for image in promises.images:
        if not image.not_promoted_because:
            tag = f"{image.name}:{TAG}"
            known = engine.inspect(client, tag)
            moves.append(Move(tag, known["Id"] if known else None, verified[image.name]))
    return moves


def apply(client: docker.DockerClient, moves: Sequence[Move]) -> None:
    """Make all moves. When one fails, those before it go back, and SutraError is raised.

    Tags go to ids, never to names: what was checked is what is promoted.
    """
    done: list[Move] = []
    try:
        for move in moves:
            done.append(move)
            if move.before != move.after:
                engine.tag(client, move.after, move.tag)
    except BaseException:
        for move in done:
            if move.before:
                engine.tag(client, move.before, move.tag)
            else:
                engine.untag(client, move.tag)
        raise


def describe(move: Move) -> str:
    """Return one line: tag, from digest, to digest."""
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


def verify_and_promote(client: docker.DockerClient, dry_run: bool = False) -> int:
    """Verify all images, promote them when every check passed, and end with the table."""
    promises = catalog.load()
    measured = verify_sizes.measure_all(client, promises)
    results = verify_sizes.verify(promises, measured)
    passed = all(result.ok for result in results)
    moves = plan(client, promises, {name: found.id for name, found in measured.items()})
    if passed and not dry_run:
        apply(client, moves)
    report.show(results)
    verb = "not promoted" if not passed else "would promote" if dry_run else "promoted"
    for move in moves:
        print(f"{verb} {describe(move)}", file=sys.stderr)
    return OK if passed else CHECK_FAILED


if __name__ == "__main__":
    run(main)
