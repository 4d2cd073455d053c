"""A bill of materials as SPDX 2.3: https://spdx.github.io/spdx-spec/v2.3/.

Its files need SHA-1, which nothing else here asks for: the CycloneDX document lists them.
"""

from __future__ import annotations

import hashlib
from typing import Any

from scripts.sbom.components import Bill, Component, image_purl

NONE = "NOASSERTION"
# in-toto's name for such a document
PREDICATE_TYPE = "https://spdx.dev/Document"
IMAGE = "SPDXRef-image"


def document(name: str, bill: Bill, created: str) -> dict[str, Any]:
    """Return the document of an image: a package each component, and what is linked into which."""
    parts = {part.purl: part for component in bill.components for part in component.parts}
    packages = [*bill.components, *parts.values()]
    identity = (bill.image.id or bill.image.layers[0].diff_id).partition(":")[2]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://spdx.org/spdxdocs/{name}-{identity}",
        "creationInfo": {"created": created, "creators": ["Tool: sutra"]},
        "packages": [_image(name, bill), *map(_package, packages)],
        "relationships": [
            _relation("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE),
            *(_relation(IMAGE, "CONTAINS", _id(component)) for component in bill.components),
            *(
                _relation(
                    _id(component),
                    "STATIC_LINK" if part.kind != "generic" else "CONTAINS",
                    _id(part),
                )
                for component in bill.components
                for part in component.parts
            ),
        ],
    }


def _image(name: str, bill: Bill) -> dict[str, Any]:
    unowned = ", ".join(f"/{entry.path}" for entry in bill.unowned) or "none"
    return {
        **_about(IMAGE, name, bill.image.id, image_purl(name, bill.image)),
        "licenseDeclared": NONE,
        "primaryPackagePurpose": "CONTAINER",
        "comment": f"files of no package: {unowned}",
    }


def _package(component: Component) -> dict[str, Any]:
    package = {
        **_about(_id(component), component.name, component.version, component.purl),
        "licenseDeclared": component.licence or NONE,
        "comment": f"{len(component.files)} files",
    }
    if component.licence:
        return package
    named = f"its record names {', '.join(component.names)}" if component.names else ""
    return {**package, "licenseComments": named or f"not recorded: {component.why}"}


def _about(identity: str, name: str, version: str, purl: str) -> dict[str, Any]:
    reference = {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": purl,
    }
    package = {
        "SPDXID": identity,
        "name": name,
        "downloadLocation": NONE,
        "filesAnalyzed": False,
        "licenseConcluded": NONE,
        "copyrightText": NONE,
        "externalRefs": [reference],
    }
    return {**package, "versionInfo": version} if version else package


def _id(component: Component) -> str:
    return f"SPDXRef-{hashlib.sha256(component.purl.encode()).hexdigest()[:24]}"


def _relation(first: str, kind: str, second: str) -> dict[str, str]:
    return {"spdxElementId": first, "relationshipType": kind, "relatedSpdxElement": second}
