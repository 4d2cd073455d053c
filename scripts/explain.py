"""Say which cleanup rule removes or keeps a file of an image, and why."""

from __future__ import annotations

import argparse
from pathlib import Path

from sutra_cleanup import manifest as manifests
from sutra_cleanup.errors import CleanupError
from sutra_cleanup.manifest import Manifest, Rule

from scripts import catalog
from scripts.errors import OK, SutraError, run

SITE = "lib/python3/site-packages/"


def manifest_of(image: str) -> Path:
    """Return the cleanup manifest of an image. Raises SutraError for one without."""
    catalog.load().find(image)
    found = find_manifest(image)
    if found is None:
        raise SutraError(f'explain: no cleanup manifest for "{image}"', "it is built without one")
    return found


def find_manifest(image: str) -> Path | None:
    """Return where the cleanup manifest of an image is, or None for one without."""
    found = Path("packages") / image / "cleanup.yaml"
    if image == "sutra-base-python":
        found = Path("base-images/cleanup/stdlib.yaml")
    return found if found.exists() else None


def place(image: str, file: str) -> str:
    """Return `file` as a path of the tree that is cleaned: packages are named without theirs."""
    if image == "sutra-base-python" or file.startswith(("bin/", "lib/")):
        return file
    return SITE + file


def explain(manifest: Manifest, path: str) -> list[str]:
    """Return a line for what happens to `path`, and one for each rule that has a say."""
    removing = [rule for rule in manifest.rules if any(g.matches(path) for g in rule.remove)]
    keeping = [rule for rule in manifest.rules if any(g.matches(path) for g in rule.keep)]
    if removing and not keeping:
        lines = ["leaves"]
    else:
        lines = ["stays" + ("" if keeping else ", no rule names it") + _policy(manifest, path)]
    lines += [f"  kept by {_describe(rule)}" for rule in keeping]
    lines += [f"  {'not ' if keeping else ''}removed by {_describe(rule)}" for rule in removing]
    return lines


def _describe(rule: Rule) -> str:
    source = f" (source: {rule.source})" if rule.source else ""
    return f'rule "{rule.name}" of {rule.file.name}: {rule.why}{source}'


def _policy(manifest: Manifest, path: str) -> str:
    if path.endswith(".py"):
        return f"; bytecode: {manifest.mode(path)}"
    if path.endswith(".so") or ".so." in path:
        return f"; strip: {manifest.strip}"
    return ""


def main() -> int:
    """Explain one file of one image; the file need not exist."""
    parser = argparse.ArgumentParser(prog="python -m scripts.explain", description=__doc__)
    parser.add_argument("image")
    parser.add_argument("file", help='eg: "numpy/testing/__init__.py"')
    given = parser.parse_args()
    try:
        manifest = manifests.load(manifest_of(given.image))
    except CleanupError as error:
        raise SutraError(error.message, error.tip) from error
    first, *rest = explain(manifest, place(given.image, given.file.removeprefix("./")))
    print(f"{given.file}: {first}", *rest, sep="\n")
    return OK


if __name__ == "__main__":
    run(main)
