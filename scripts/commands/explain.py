"""Say which cleanup rule removes or keeps a file or folder of an image, and why."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from sutra_cleanup import manifest as manifests
from sutra_cleanup.errors import CleanupError
from sutra_cleanup.globs import Glob
from sutra_cleanup.manifest import Manifest, Rule

from scripts.catalog import catalog
from scripts.catalog.cleanup_manifests import find_manifest
from scripts.common.errors import OK, SutraError

SITE = "lib/python3/site-packages/"


def manifest_of(image: str) -> Path:
    """Return the cleanup manifest of an image. Raises SutraError for one without."""
    catalog.load().find(image)
    manifest = find_manifest(image)
    if manifest is None:
        raise SutraError(f'explain: no cleanup manifest for "{image}"', "it is built without one")
    return manifest


def place(image: str, file: str) -> str:
    """Return `file` as a path of the tree that is cleaned.

    It may be the path in the image, with a slash in front or not, as `verify`, `diff` and
    listings of layers show it, or that in the tree; packages are named without theirs.
    """
    path = re.sub(r"^(\./|/+)", "", file)
    if image == "sutra-base-python":
        return re.sub(r"^usr/lib/python3[.0-9]*/", "", path)
    path = path.removeprefix("opt/sutra/")
    return path if path.startswith(("bin/", "lib/")) or path == "pyvenv.cfg" else SITE + path


def explain(manifest: Manifest, path: str) -> list[str]:
    """Return a line for what happens to `path`, and one for each rule that has a say.

    `path` is a folder's where it ends with a slash, or where a glob names that folder.
    """
    matched = path
    if path.endswith(".pyc") and "__pycache__/" not in path:
        matched = path[:-1]  # the cleanup matches a sourceless module by its source's name
    below = path.rstrip("/") + "/"
    removing, keeping = _rules(manifest, lambda glob: glob.matches(matched))
    folder = _rules(manifest, lambda glob: glob.is_folder and glob.matches(below + "x"))
    if path.endswith("/") or (not removing and not keeping and any(folder)):
        return _explain_folder(manifest, below, *folder)
    if removing and not keeping:
        stand_in = "; a module that raises an error when used replaces it"
        lines = ["leaves" + stand_in * removing[0].stand_in]
    else:
        lines = ["stays" + ("" if keeping else ", no rule names it") + _policy(manifest, matched)]
    return lines + _reasons(removing, keeping)


def _explain_folder(
    manifest: Manifest, folder: str, removing: list[Rule], keeping: list[Rule]
) -> list[str]:
    """Return what happens to a folder as a whole, and what rules name some of what is in it."""
    inner, spared = _rules(manifest, lambda glob: glob.reaches_into(folder))
    inner = [rule for rule in inner if rule not in removing]
    if keeping or not removing:
        lines = ["stays" + ("" if keeping else ", no rule names all of it")]
        some = [] if keeping else [f"  some of it removed by {_describe(rule)}" for rule in inner]
    else:
        lines = ["leaves"]
        some = [f"  some of it kept by {_describe(rule)}" for rule in spared]
    return lines + _reasons(removing, keeping) + some


def _rules(manifest: Manifest, names: Callable[[Glob], bool]) -> tuple[list[Rule], list[Rule]]:
    """Return the rules that remove and those that keep by a glob of which `names` holds."""
    return (
        [rule for rule in manifest.rules if any(map(names, rule.remove))],
        [rule for rule in manifest.rules if any(map(names, rule.keep))],
    )


def _reasons(removing: list[Rule], keeping: list[Rule]) -> list[str]:
    lines = [f"  kept by {_describe(rule)}" for rule in keeping]
    return lines + [
        f"  {'not ' if keeping else ''}removed by {_describe(rule)}" for rule in removing
    ]


def _describe(rule: Rule) -> str:
    source = f" (source: {rule.source})" if rule.source else ""
    return f'rule "{rule.name}" of {rule.file.name}: {rule.why}{source}'


def _policy(manifest: Manifest, path: str) -> str:
    if path.endswith(".py"):
        return f"; bytecode: {manifest.mode(path)}"
    if path.endswith(".so") or ".so." in path:
        return f"; strip: {manifest.strip}"
    return ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("image", help="an image of images.yaml")
    parser.add_argument("file", help='eg: "numpy/testing/__init__.py"')


def main(options: argparse.Namespace) -> int:
    """Explain one file or folder of one image; it need not exist."""
    try:
        manifest = manifests.load(manifest_of(options.image))
    except CleanupError as error:
        raise SutraError(error.message, error.tip) from error
    outcome, *reasons = explain(manifest, place(options.image, options.file))
    print(f"{options.file}: {outcome}", *reasons, sep="\n")
    return OK
