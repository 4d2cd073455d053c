"""A bill of materials as CycloneDX 1.6: https://cyclonedx.org/docs/1.6/json/."""

from __future__ import annotations

import uuid
from typing import Any

from scripts.image.inventory import Entry
from scripts.sbom.components import Bill, Component, image_purl

# the same image has the same document
NAMESPACE = uuid.UUID("6f1d7a52-6a4c-5d0e-9c55-0c5f6d1b7c11")
TYPES = {"application": "application", "generic": "library"}


def document(name: str, bill: Bill, created: str) -> dict[str, Any]:
    """Return the document of an image; each component holds its files, with their SHA-256."""
    root = image_purl(name, bill.image)
    parts = {part.purl: part for one in bill.components for part in one.parts}
    listed = [*map(_component, bill.components), *map(_component, parts.values())]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, bill.image.id)}",
        "version": 1,
        "metadata": {
            "timestamp": created,
            "component": {
                "type": "container",
                "name": name,
                "version": bill.image.id,
                "bom-ref": root,
                "purl": root,
            },
        },
        "components": [*listed, *map(_unowned, bill.unowned)],
        "dependencies": [
            {"ref": root, "dependsOn": [one.purl for one in bill.components]},
            *(
                {"ref": one.purl, "dependsOn": [part.purl for part in one.parts]}
                for one in bill.components
                if one.parts
            ),
        ],
    }


def _component(one: Component) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": TYPES.get(one.kind, "library"),
        "bom-ref": one.purl,
        "name": one.name,
        "purl": one.purl,
    }
    if one.version:
        component["version"] = one.version
    if one.licence:
        component["licenses"] = [{"expression": one.licence}]
    elif one.names:
        component["licenses"] = [{"license": {"name": name}} for name in one.names]
    if one.files:
        component["components"] = [_file(entry) for entry in one.files]
    return component


def _file(entry: Entry) -> dict[str, Any]:
    file: dict[str, Any] = {"type": "file", "name": f"/{entry.path}"}
    if entry.digest.startswith("sha256:"):
        file["hashes"] = [{"alg": "SHA-256", "content": entry.digest.partition(":")[2]}]
    return file


def _unowned(entry: Entry) -> dict[str, Any]:
    return {**_file(entry), "properties": [{"name": "sutra:owner", "value": "none"}]}
