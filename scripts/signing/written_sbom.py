"""The SPDX document in .build/sbom that is signed with an image: only one that is about it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from scripts.common.errors import SutraError
from scripts.common.reference import digits

FOLDER = Path(".build/sbom")
VERSION = re.compile(r"SPDX-2\.\d+")


def read(name: str, digests: tuple[str, ...], folder: Path = FOLDER) -> dict[str, Any] | None:
    """Return the SPDX document of the image `name`, None without one.

    `digests` are those that the image is known by. Raises SutraError for a document that is
    damaged, of another format, or about another image: to mention this one is not enough.
    """
    path = folder / f"{name}.spdx.json"
    tip = f"remove {path}, or make it again, then run the same command again"
    try:
        document = _loaded(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise SutraError(f"{path}: cannot be read: {error}", tip) from error
    if not isinstance(document, dict) or not VERSION.fullmatch(str(document.get("spdxVersion"))):
        raise SutraError(f"{path}: not an SPDX document of version 2", tip)
    names = "|".join(digits(digest) for digest in digests if digest)
    exactly = re.compile(rf"(?<![0-9a-f])(?:{names})(?![0-9a-f])")
    if not any(exactly.search(text) for text in _subjects(document)):
        raise SutraError(f"{path}: of another image, it does not name {digests[0]}", tip)
    return document


def _loaded(text: str) -> Any:
    """Return the value of a JSON text that can be written as JSON again. Raises ValueError."""
    document = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
    json.dumps(document, allow_nan=False)  # a number such as 1e999 is read as infinite
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f'not JSON: "{constant}"')


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose keys are there once: of two, each reader takes another."""
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'twice "{twice[:80]}"')
    return value


def _subjects(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what names the thing that a document is about, and the package that it describes."""
    yield str(document.get("documentNamespace"))
    yield str(document.get("name"))
    described = set(_described(document))
    for package in _objects(document.get("packages")):
        if package.get("SPDXID") in described:
            yield str(package.get("versionInfo"))
            for reference in _objects(package.get("externalRefs")):
                yield str(reference.get("referenceLocator"))
            for checksum in _objects(package.get("checksums")):
                yield str(checksum.get("checksumValue"))


def _described(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the identifiers of what the document describes: SPDX 2.3, 11.1."""
    listed = document.get("documentDescribes")
    yield from map(str, listed if isinstance(listed, list) else ())
    for relation in _objects(document.get("relationships")):
        ends = relation.get("spdxElementId"), relation.get("relatedSpdxElement")
        match relation.get("relationshipType"), ends:
            case ("DESCRIBES", (_, described)) | ("DESCRIBED_BY", (described, _)):
                yield str(described)
            case _:
                continue


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    yield from (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()
