"""Arguments that have the name of a knob, and win over it.

`--dry-run` on the command line and `DRY_RUN=1` in the environment say the same; both are read
as one mapping of knobs, so that a command looks for each in one place.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence

from scripts.common import settings
from scripts.common.errors import SutraError

TABLE = "table"


def flag(parser: argparse.ArgumentParser, name: str, what: str) -> None:
    """Add `--name`, the knob NAME=1."""
    parser.add_argument(
        f"--{name}",
        dest=knob(name),
        action="store_const",
        const="1",
        help=f"{what} ({knob(name)}=1)",
    )


def value(
    parser: argparse.ArgumentParser, name: str, what: str, choices: Sequence[str] = ()
) -> None:
    """Add `--name VALUE`, the knob NAME=VALUE; `choices` are all values that there are."""
    parser.add_argument(
        f"--{name}",
        dest=knob(name),
        choices=choices or None,
        help=f"{what} ({knob(name)}=…)",
        metavar=None if choices else name.upper(),
    )


def image_reference(parser: argparse.ArgumentParser, what: str) -> None:
    """Add a reference and the catalogue entry by whose promises it is checked."""
    parser.add_argument("reference", nargs="?", help="any image; all of the catalogue without it")
    parser.add_argument(
        "--as", dest="name", metavar="NAME", help=f"the catalogue entry whose {what} hold"
    )


def publication(parser: argparse.ArgumentParser) -> None:
    """Add what every command takes that gives images to others."""
    value(parser, "version", "also set 1.4.2, 1.4 and 1")
    value(parser, "registry", "host/path that gets the images as well")
    value(parser, "sign-key", "cosign's key that signs what REGISTRY gets")
    value(parser, "transparency-log", "address of a Rekor that gets what is signed")
    flag(parser, "allow-dirty", "promote images that no clean commit names")


def allow_uncompared(parser: argparse.ArgumentParser) -> None:
    """Add `--allow-uncompared`, which all commands have that hold budgets against git's."""
    flag(parser, "allow-uncompared", "skip the comparison where git has no earlier budgets")


def require_pair(options: argparse.Namespace) -> None:
    """End with a usage error where a reference came without `--as`, or `--as` without one."""
    if bool(options.reference) != bool(options.name):
        options.error("a reference and --as NAME go together")


def knob(name: str) -> str:
    """Return the knob of an argument: "dry-run" → "DRY_RUN"."""
    return name.upper().replace("-", "_")


def knobs(
    options: argparse.Namespace, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment, with what was given as an argument in its place."""
    from_arguments = {name: text for name, text in vars(options).items() if name.isupper() and text}
    return {**environment, **from_arguments}


def is_set(options: argparse.Namespace, name: str) -> bool:
    """Return whether a flag, or its knob, says yes. Raises SutraError for neither yes nor no."""
    return settings.flag(knobs(options), name)


def output_format(options: argparse.Namespace, choices: Sequence[str]) -> str:
    """Return FORMAT, TABLE without it. Raises SutraError for one that the command does not have."""
    chosen = knobs(options).get("FORMAT") or TABLE
    if chosen not in choices:
        raise SutraError(f'FORMAT: unknown "{chosen}"', f"choose one of {', '.join(choices)}")
    return chosen
