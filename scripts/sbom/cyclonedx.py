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
    parts = {part.purl: part for component in bill.components for part in component.parts}
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
            {"ref": root, "dependsOn": [component.purl for component in bill.components]},
            *(
                {"ref": component.purl, "dependsOn": [part.purl for part in component.parts]}
                for component in bill.components
                if component.parts
            ),
        ],
    }


def _component(component: Component) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "type": TYPES.get(component.kind, "library"),
        "bom-ref": component.purl,
        "name": component.name,
        "purl": component.purl,
    }
    if component.version:
        fields["version"] = component.version
    if component.licence:
        fields["licenses"] = [{"expression": component.licence}]
    elif component.names:
        fields["licenses"] = [{"license": {"name": name}} for name in component.names]
    if component.files:
        fields["components"] = [_file(entry) for entry in component.files]
    return fields


def _file(entry: Entry) -> dict[str, Any]:
    file: dict[str, Any] = {"type": "file", "name": f"/{entry.path}"}
    if entry.digest.startswith("sha256:"):
        file["hashes"] = [{"alg": "SHA-256", "content": entry.digest.partition(":")[2]}]
    return file


def _unowned(entry: Entry) -> dict[str, Any]:
    return {**_file(entry), "properties": [{"name": "sutra:owner", "value": "none"}]}
