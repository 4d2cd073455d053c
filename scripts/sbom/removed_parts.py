"""Show that a part of a component is not in an image, and which cleanup rule took it out.

The evidence is the image's own: the report of its cleanup counts what each rule removed, and
its layers show what is left. The manifest says which of the rules names the part.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sutra_cleanup import manifest as manifests
from sutra_cleanup.errors import CleanupError
from sutra_cleanup.globs import Glob
from sutra_cleanup.manifest import Manifest, Rule

from scripts.common.errors import SutraError
from scripts.common.text import printable
from scripts.image.inventory import Inventory
from scripts.sbom import left_parts
from scripts.sbom.cleanups import Cleanup, cleanups
from scripts.sbom.components import Bill, Component
from scripts.sbom.left_parts import plain

SITE = "lib/python3/site-packages/"
# names of code that can run: a source that was compiled is in the image as its library
CODE = re.compile(r".+\.(?:py|so(?:\.\d+)*)", re.DOTALL)


class RefusedError(SutraError):
    """A statement does not hold for this image: a check failed, exit code 1.

    `problem` is the message without the image that it is about.
    """

    def __init__(self, image: str, problem: str, tip: str) -> None:
        super().__init__(f"{image}: vex: {problem}", tip)
        self.problem = printable(problem)


class NoComponentError(RefusedError):
    """The image has no such component, or another version of it."""


@dataclass(frozen=True)
class Removed:
    """Why a part is not in the image: the rule that removed it, and where that is recorded."""

    rule: str
    manifest: str
    why: str
    files: int
    report: str


def find(bill: Bill, name: str, purl: str, part: str) -> Removed:
    """Return the evidence for `part` ("scipy/odr/") of the component `purl`.

    Raises RefusedError where the image has it or no rule removed it, SutraError for a name
    that can be no part.
    """
    component = _component(bill, name, purl)
    path = _path_of(part)
    for cleanup in cleanups(bill.image, name):
        inside = _inside(cleanup.tree, path)
        if left_parts.owns(component, cleanup.tree, inside):
            return _removed(bill.image, name, cleanup, inside)
    raise RefusedError(
        name,
        f'no cleaned tree has a folder or module of {purl} for "{part}"',
        "name the part as it is in the distribution, such as scipy/odr/",
    )


def _component(bill: Bill, name: str, purl: str) -> Component:
    for component in bill.components:
        if purl in (component.purl, component.purl.partition("?")[0]):
            return component
    raise NoComponentError(
        name, f'no such component "{purl}"', f"`make sbom IMAGE={name}` lists them"
    )


def is_part(text: str) -> bool:
    """Return whether a text names something whose code can run: a folder, module or library."""
    try:
        return bool(_path_of(text))
    except SutraError:
        return False


def _path_of(part: str) -> str:
    """Return a part as rules name it: folders end with a slash, bytecode is its source."""
    path = re.sub(r"^(\./|/+)", "", part)
    if "." not in path.rpartition("/")[2] and path:
        path = path.rstrip("/") + "/"
    path = left_parts.source(path)
    odd = any(step in ("", ".", "..") for step in path.removesuffix("/").split("/"))
    if odd or not (path.endswith("/") or CODE.fullmatch(path)):
        raise SutraError(
            f'vex: PART: neither a folder nor a module or library that runs "{part}"',
            "what was compiled from a source is in the image: name the library",
        )
    return path


def _inside(tree: str, path: str) -> str:
    """Return a path below the cleaned tree; a service's packages are named without theirs."""
    inside = plain(path.removeprefix(f"{tree}/"))
    is_library = re.search(r"(^|/)lib/python3[.0-9]*$", tree)
    return inside if is_library or inside.startswith(("bin/", "lib/")) else SITE + inside


def _removed(image: Inventory, name: str, cleanup: Cleanup, part: str) -> Removed:
    if part_left := left_parts.find(image, cleanup.tree, part, cleanup.stand_ins):
        raise RefusedError(
            name, f'the part is in the image "/{part_left}"', _explain(cleanup, part)
        )
    rule = _rule(name, cleanup, part)
    row = cleanup.rules[rule.name]
    return Removed(rule.name, rule.file.name, str(row["why"]), row["files"], cleanup.report)


def _rule(name: str, cleanup: Cleanup, part: str) -> Rule:
    """Return the rule that names the part, and that removed something of this image."""
    manifest = _manifest(name, cleanup)
    if keeping := _naming(manifest, part, lambda rule: rule.keep):
        problem = f'rule "{keeping[0].name}" keeps "{_short(part)}"'
        raise RefusedError(name, problem, _explain(cleanup, part))
    removing = _naming(manifest, part, lambda rule: rule.remove)
    for rule in removing:
        row = cleanup.rules.get(rule.name)
        if isinstance(row, dict) and _is_count(row.get("files")) and row.get("why"):
            return rule
    problem = f'rule "{removing[0].name}" removed nothing' if removing else "no rule removes"
    raise RefusedError(name, f'{problem} "{_short(part)}"', _explain(cleanup, part))


def _is_count(value: object) -> bool:
    """Return whether a value of a report counts something; true is a number to Python."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _manifest(name: str, cleanup: Cleanup) -> Manifest:
    if cleanup.manifest is None:
        raise RefusedError(name, "no cleanup manifest", "it is built without one")
    try:
        return manifests.load(cleanup.manifest)
    except CleanupError as error:
        raise SutraError(error.message, error.tip) from error


def _naming(manifest: Manifest, part: str, globs: Callable[[Rule], tuple[Glob, ...]]) -> list[Rule]:
    """Return the rules with a glob for the part; of a folder, one for all that is in it."""
    path = part + "x" if part.endswith("/") else part
    return [
        rule
        for rule in manifest.rules
        if any(glob.matches(path) and (glob.is_folder or path == part) for glob in globs(rule))
    ]


def _explain(cleanup: Cleanup, part: str) -> str:
    return f"`make explain IMAGE={cleanup.image} FILE={_short(part)}` says more"


def _short(part: str) -> str:
    return part.removeprefix(SITE)
