"""vex.yaml: which vulnerabilities each promotion states not to affect an image.

A person reviews what it asks; whether that holds, each promotion finds in the images.

statements:
  - {image: sutra-hybrid, cve: CVE-2026-1234, purl: "pkg:pypi/scipy@1.18.0", part: scipy/odr/}
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sutra_cleanup import strict_yaml

from scripts.catalog.catalog import Catalog
from scripts.catalog.catalog_node import Node
from scripts.common.errors import SutraError
from scripts.image.inventory import Inventory
from scripts.sbom import components, openvex, removed_parts
from scripts.sbom.openvex import VULNERABILITY, Question
from scripts.sbom.removed_parts import NoComponentError, RefusedError

FILE = Path("vex.yaml")
LIST = "statements"
KEYS = ("image", "cve", "purl", "part")


@dataclass(frozen=True)
class Request:
    """One statement that is asked for, and where: "statements[0]"."""

    place: str
    image: str
    question: Question


@dataclass(frozen=True)
class Refusal:
    """A statement that an image does not show: `message` names its key, `tip` what helps."""

    message: str
    tip: str


def read(promises: Catalog, path: Path = FILE) -> list[Request]:
    """Return what is asked for, nothing without the file. Raises SutraError with the key's path."""
    if not os.path.lexists(path):  # a broken link is an error, and asks for more than nothing
        return []
    content = _load(path)
    top = Node(path.name, "", {} if content is None else content, (LIST,))
    listed = top.value.get(LIST)
    if listed is None:
        listed = []
    if not isinstance(listed, list):
        raise top.error(LIST, "not a list", listed)
    return [
        _request(promises, Node(path.name, f"{LIST}[{number}]", value, KEYS))
        for number, value in enumerate(listed)
    ]


def _load(path: Path) -> Any:
    try:
        return strict_yaml.load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SutraError(f"{path}: cannot be read: {error}", f"`ls -l {path}` says more") from error
    except ValueError as error:
        raise SutraError(f"{path}: not YAML: {error}", f"`yamllint {path}` says more") from error


def _request(promises: Catalog, node: Node) -> Request:
    for key in KEYS:
        node.required(key)
    image, cve, purl, part = (node.text(key) for key in KEYS)
    image_keys = [entry.key for entry in promises.images]
    if image not in image_keys:
        raise node.unknown("image", "no such image", image, image_keys)
    if not VULNERABILITY.fullmatch(cve):
        raise node.error("cve", "not the name of a vulnerability", cve)
    for key, text in (("purl", purl), ("part", part)):
        if not text.isprintable():
            raise node.error(key, "not printable", text)
    if not removed_parts.is_part(part):
        problem = "neither a folder nor a module or library that runs"
        raise node.error("part", problem, part)
    return Request(node.path, image, Question(cve, purl, part))


def derive(
    requests: Sequence[Request], image: Inventory, name: str
) -> tuple[dict[str, Any], list[Refusal]]:
    """Return the document of an image, and what is asked for that it does not show."""
    bill = components.of(image)
    statements, refusals = {}, []
    for request in (asked_for for asked_for in requests if asked_for.image == name):
        try:
            statements[request.question] = openvex.statement(bill, name, request.question)
        except RefusedError as error:
            key = "purl" if isinstance(error, NoComponentError) else "part"
            place = f"{FILE}: {request.place}.{key}"
            refusals.append(Refusal(f"{place}: {name}: {error.problem}", error.tip))
    ordered = [statements[question] for question in sorted(statements)]
    return openvex.document(bill, ordered), refusals
