"""The command `sutra-images`.

The wheel has the modules of scripts/ as they are, in its folder `root`. Only this process finds
them: nothing called `scripts` is installed beside other people's packages.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module, metadata
from pathlib import Path

PROGRAM = "sutra-images"
DESCRIPTION = "Check container images against budgets and rules."
COMMANDS = {"verify": "scripts.commands.verify_image"}


def _add_to_path() -> None:
    """Have the modules found: those of the wheel, or of the checkout that this file is in."""
    root = Path(__file__).with_name("root")
    if not root.is_dir():
        root = Path(__file__).resolve().parents[4]
    sys.path[:0] = [str(root), str(root / "base-images/lib")]


def _version() -> str:
    try:
        return metadata.version(PROGRAM)
    except metadata.PackageNotFoundError:
        return "from a checkout"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        command = import_module(module)
        what = command.__doc__ or ""
        added = commands.add_parser(name, help=what, description=what, allow_abbrev=False)
        command.add_arguments(added)
        added.set_defaults(run=command.main)
    return parser


def _call() -> int:
    options = _parser().parse_args()
    code: int = options.run(options)
    return code


def main() -> None:
    """Run the command, and exit with its code."""
    _add_to_path()
    import_module("scripts.common.output").guard()
    import_module("scripts.common.errors").run(_call)


if __name__ == "__main__":
    main()
