"""Build an image into a registry with the bill of materials that BuildKit attaches to it."""

from __future__ import annotations

import argparse

from scripts.build.attested import attested
from scripts.catalog import catalog
from scripts.common import arguments
from scripts.common.errors import OK, SutraError
from scripts.engine import client as engine
from scripts.image import inventory
from scripts.oci import registry_tags
from scripts.oci.registry_artifacts import ArtifactRegistry
from scripts.sbom import attached_bill, components


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("image", help="an image of images.yaml")
    arguments.value(parser, "registry", "host/path that gets the image, by its digest")


def main(options: argparse.Namespace) -> int:
    """Build, push by digest, and compare what is attached with what the image holds."""
    knobs = arguments.knobs(options)
    name, address = catalog.load().find(options.image).name, knobs.get("REGISTRY", "")
    if not address:
        raise SutraError(
            "attest: needs REGISTRY: an engine keeps no attestation",
            "such as REGISTRY=localhost:5000/me",
        )
    client = engine.connect()
    reference = attested(client, name, registry_tags.check(address))
    document = attached_bill.read(ArtifactRegistry(client, address), reference)
    held = inventory.read(client, f"registry:{reference}")
    if held is None:
        raise SutraError(f'attest: not in the registry "{reference}"', attached_bill.TIP)
    number = attached_bill.refuse_other(document, components.of(held), reference)
    print(f"{reference}: SPDX of {number} packages attached")
    return OK
