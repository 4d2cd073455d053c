"""Build one image with a bill of materials that BuildKit attaches, into a registry, by digest.

The generator is an image of ours; BuildKit runs it on the files that the build has made, and ends
the build where it fails. No tag moves, in the registry or the engine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from scripts.build import bake
from scripts.build.failure import failure
from scripts.common.errors import SutraError
from scripts.engine import builders, buildx
from scripts.engine import client as engine
from scripts.engine.builders import Builder

GENERATOR = "sutra-sbom-generator"
# pushed by its digest, packed as the bake file packs images
PUSHED = "type=image,name={},push-by-digest=true,push=true,oci-mediatypes=true,compression-level=9"


def attested(
    client: engine.Client, name: str, registry: str, environment: Mapping[str, str] = os.environ
) -> str:
    """Return the reference "host/path/name@sha256:…" of the image that was built and pushed.

    Raises SutraError for a builder that cannot attach anything, and for a build that fails.
    """
    builder = builders.find(environment)
    if builder.is_engine:
        raise SutraError(
            "attest: the engine's own BuildKit pushes nothing by its digest",
            f"{builders.KNOB}=… names another (docs/build-farm.md); "
            "`make promote SIGN_KEY=…` attaches a signed bill with any builder",
        )
    settings = bake.variables(environment)
    plan = buildx.bake_plan([name, GENERATOR], settings)
    settings |= bake.plan_variables(client, plan, builder)
    generator = _pushed(GENERATOR, registry, [], settings, builder)
    attest = [f"{name}.attest=type=sbom,generator={generator}"]
    return _pushed(name, registry, attest, settings, builder)


def _pushed(
    name: str,
    registry: str,
    overrides: list[str],
    settings: Mapping[str, str],
    builder: Builder,
) -> str:
    """Build one target and push it without a tag; return its reference by digest."""
    place = f"{registry}/{name}"
    words = [f"{name}.tags=", f"{name}.output={PUSHED.format(place)}", *overrides]
    with buildx.metadata_file() as metadata:
        code, lines = buildx.bake([name], words, settings, metadata)
        if code:
            raise failure(lines, builder)
        return f"{place}@{_digest(name, metadata)}"


def _digest(name: str, metadata: Path) -> str:
    digest = json.loads(metadata.read_text()).get(name, {}).get(builders.DIGEST)
    if not digest:
        raise SutraError(f'attest: no digest of what was pushed "{name}"', "run it again")
    return str(digest)
