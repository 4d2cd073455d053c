"""The bill of materials that BuildKit has attached to an image in a registry.

An index has the image, and beside it a manifest whose layers are in-toto statements; it names the
image by its digest. Source:
https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Protocol

from scripts.common.errors import SutraError
from scripts.common.text import printable
from scripts.sbom.components import Bill
from scripts.sbom.spdx import PREDICATE_TYPE

KIND, SUBJECT = "vnd.docker.reference.type", "vnd.docker.reference.digest"
PREDICATE = "in-toto.io/predicate-type"
# components of ours have the image's labels for a version, which its files do not name
OURS = "pkg:generic/"
DAMAGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
TIP = "run `make attest` again"


class Store(Protocol):
    """The registry, as far as attestations need it."""

    def manifest(self, reference: str, digest: str) -> bytes:
        """Return the bytes of a manifest in the repository of `reference`."""

    def blob(self, reference: str, digest: str) -> bytes:
        """Return a small blob, checked by its digest."""


def read(registry: Store, reference: str) -> dict[str, Any]:
    """Return the SPDX document that is attached. Raises SutraError without exactly one."""
    place, _, digest = reference.partition("@")
    index = registry.manifest(place, digest)
    try:
        documents = list(_documents(registry, place, json.loads(index)))
    except DAMAGE as error:
        raise SutraError(f'attest: what is attached to "{reference}" is damaged', TIP) from error
    if len(documents) != 1:
        raise SutraError(
            f'attest: {len(documents) or "no"} bills of materials are attached to "{reference}"',
            TIP,
        )
    return documents[0]


def _documents(registry: Store, place: str, index: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each SPDX document of the statements about an image of the index."""
    images = {entry["digest"] for entry in index["manifests"]}
    for described in index["manifests"]:
        notes = described.get("annotations") or {}
        if notes.get(KIND) != "attestation-manifest" or notes.get(SUBJECT) not in images:
            continue
        manifest = json.loads(registry.manifest(place, described["digest"]))
        for layer in manifest["layers"] or ():  # null where a generator wrote no statement
            if (layer.get("annotations") or {}).get(PREDICATE) == PREDICATE_TYPE:
                statement = json.loads(registry.blob(place, layer["digest"]))
                yield dict(statement["predicate"])


def refuse_other(document: dict[str, Any], bill: Bill, reference: str) -> int:
    """Raise SutraError unless the document lists what the image holds; return how many it lists."""
    try:
        listed = {
            str(external["referenceLocator"])
            for package in document["packages"]
            for external in package["externalRefs"]
        }
    except DAMAGE as error:
        raise SutraError(f'attest: what is attached to "{reference}" is damaged', TIP) from error
    held = {component.purl for component in bill.all() if not component.purl.startswith(OURS)}
    differing = sorted(held ^ {purl for purl in listed if not purl.startswith((OURS, "pkg:oci/"))})
    if differing:
        where = "is not listed" if differing[0] in held else "is not in the image"
        raise SutraError(f'attest: "{reference}": "{printable(differing[0][:200])}" {where}', TIP)
    return len(held)
