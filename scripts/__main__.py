"""The front door: `python -m scripts COMMAND`.

A command's module is imported only when it is chosen, so that none waits for what only
another one needs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from scripts.common import output
from scripts.common.errors import run

PROGRAM = "python -m scripts"
GROUPS = {
    "build": {
        "prod": "build, verify and promote the production images",
        "build": "build the production images, or other groups and targets",
        "rebuild": "build without cache, deploy, then remove the old (./clean-and-rebuild.sh)",
        "graph": "show which image is built from which, and what a changed file rebuilds",
        "affected": "name the images that the changes since a commit rebuild",
        "checker-image": "build the image of the checker, check it by itself, and tag it",
        "roots": "refresh the root image, where no registry serves it",
    },
    "check": {
        "verify": "check everything that images.yaml promises",
        "verify-sizes": "check sizes against budgets",
        "record-sizes": "record sizes for the pull requests to come",
        "comment-sizes": "print what a pull request's record changes in sizes",
        "verify-contents": "check what every image holds",
        "verify-runtime": "start every image hardened, and check what it does",
        "verify-image": "check an image that was not built here",
        "debug": "open a shell with tools beside a container that has none",
        "why-slow": "show what a service imports when it starts, and what could wait",
        "seccomp": "record a service's system calls, and write what it may call",
        "floor": "show which bytes of a service's image are opened, and what could leave",
        "diff": "show what was added, removed or grew between two images",
        "explain": "show which cleanup rule keeps or removes a file",
        "cleanup-report": "show what the cleanup took out of an image",
        "report": "check everything and write one HTML file",
    },
    "release": {
        "promote": "verify, then move the tags that people deploy",
        "sbom": "write an image's bill of materials: SPDX and CycloneDX",
        "attest": "build an image into a registry, with the bill that BuildKit attaches",
        "vex": "state that a vulnerability does not affect an image: OpenVEX",
        "outdated": "name locked versions that are not the newest, and advisories",
        "update": "take newer versions into the locks, shown first",
        "rebase": "put the services on a newer base, verify all, and promote",
        "reproduce": "build a promoted image again, and compare it to the byte",
        "rollback": "move the tags back to what was promoted before",
        "history": "show what was promoted, newest first",
        "budgets": "lower each size budget to what is measured plus 2 %",
    },
    "run": {
        "deploy": "deploy to an orchestrator (./sutra-deploy.sh up TARGET=kubernetes)",
    },
    "clean": {
        "clean": "remove what this project has on the engine, after asking",
    },
    "services": {
        "new-service": "add a service, copied from its language's living sample",
        "remove-service": "remove a service, after asking",
        "rename-service": "give a service another name",
    },
    "develop": {
        "test-package": "run one service's own tests, on its cleaned tree",
        "try-package": "run the shared cleanup rules on a fresh install of a package",
        "bench": "measure against a peer or an earlier state, as ratios",
        "readme": "write the tables of sizes into README.md",
        "controls": "write the tables of CIS and NIST controls into docs/controls.md",
    },
}
# commands that read every image, all in one pass where nothing is known of them yet
READERS = ("verify", "verify-contents")
COMMANDS = {name: what for group in GROUPS.values() for name, what in group.items()}


def usage() -> str:
    """Return every command with what it does, by group."""
    lines = [f"usage: {PROGRAM} COMMAND [-h] …", ""]
    for group, commands in GROUPS.items():
        lines += [f"{group}:", *(f"  {name:16}{what}" for name, what in commands.items())]
    return "\n".join([*lines, "", f"{PROGRAM} COMMAND --help shows a command's arguments."])


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command, with its `main` as the default `run`."""
    command = import_module(f"scripts.commands.{name.replace('-', '_')}")
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {name}", description=command.__doc__, allow_abbrev=False
    )
    command.add_arguments(parser)
    parser.set_defaults(run=command.main, error=parser.error)
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that the first word names; `words` are the process's own without it."""
    name, *arguments = (sys.argv[1:] if words is None else words) or ("--help",)
    if name in ("-h", "--help"):
        print(usage())
        return 0
    if name not in COMMANDS:
        print(f'{PROGRAM}: unknown command "{name}"', file=sys.stderr)
        print(f"tip: {PROGRAM} --help lists them", file=sys.stderr)
        return 2
    if name in READERS:
        import_module("scripts.image.first_reading").prepare()
    options = parser_of(name).parse_args(arguments)
    code: int = options.run(options)
    return code


if __name__ == "__main__":
    output.guard()
    run(main)
