"""Measure against a peer, an earlier state or a promise: one subject a call."""

from __future__ import annotations

import argparse
from importlib import import_module

from scripts.common import arguments

SUBJECTS = {
    "rebuilds": "an unchanged and a one-line rebuild against bare bake",
    "startup": "modes of bytecode: start and imports",
    "rebase": "a new base under the services against building all of them, and breaks refused",
    "readers": "reading images against other tools",
    "bills": "bills of materials beside those of syft, which has to be on PATH",
    "fresh": "pull, unpacking and first answer on a fresh node, beside what budget.fresh derives",
    "update": "what a node that has the promoted images pulls of those built since",
    "bases": "the images on Debian beside those on Alpine",
    "services": "the API against the storage asked directly, and an index",
    "backends": "the storage's log beside PostgreSQL, and a migration that is killed",
}
REQUESTS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    listed = "; ".join(f"{name}: {what}" for name, what in SUBJECTS.items())
    parser.add_argument("subject", choices=SUBJECTS, help=listed)
    parser.add_argument(
        "--readme",
        action="store_true",
        help="bases: write docs/debian-or-alpine.md; backends: write docs/scaling.md",
    )
    parser.add_argument("--requests", type=int, default=REQUESTS, help="services: of each kind")
    arguments.flag(parser, "full", "services: an index of 100,000 concepts too")


def main(options: argparse.Namespace) -> int:
    """Measure one subject and print its table."""
    code: int = import_module(f"scripts.bench.{options.subject}").main(options)
    return code
