"""SIGN_KEY of a promotion: opened before the checks, used after the push."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.common import git
from scripts.common.errors import SutraError
from scripts.common.labels import REVISION
from scripts.engine import buildx, images
from scripts.engine import client as engine
from scripts.engine.move import Move
from scripts.image import inventory
from scripts.oci.registry_artifacts import ArtifactRegistry
from scripts.promotion import older, refusals
from scripts.sbom import components, spdx
from scripts.sbom.made_at import made_at
from scripts.signing import cosign, transparency_log
from scripts.signing.cosign import Signer
from scripts.signing.sign import Pushed, sign_all
from scripts.signing.statements import OPENVEX, SPDX

# (image, the engine's id) → the registry's digest
Digests = Mapping[tuple[str, str], str]
Sign = Callable[[Digests], list[Move]]
# OpenVEX documents by image
Documents = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Signing:
    """An opened key, the bake plan that a provenance names, and the version that is signed."""

    signer: Signer
    plan: Mapping[str, Any]
    version: str

    def to(self, client: engine.Client, target: ArtifactRegistry, vex: Documents) -> Sign:
        """Return what signs the images that were pushed to `target`, with their statements."""

        def sign(digests: Digests) -> list[Move]:
            pushed = [
                Pushed(
                    name,
                    identity,
                    digest,
                    images.labels(client, identity),
                    _statements(client, name, identity, vex),
                )
                for (name, identity), digest in digests.items()
            ]
            optional = {"version": self.version} if self.version else {}
            return sign_all(self.signer, target, pushed, self.plan, optional)

        return sign


def _statements(
    client: engine.Client, name: str, identity: str, vex: Documents
) -> dict[str, Mapping[str, Any]]:
    """Return what is stated of an image besides its provenance: what it is made of, and VEX."""
    image = inventory.read(client, identity)
    if image is None:
        raise SutraError(f'engine: image no longer exists "{identity}"', "run `make prod` again")
    bill = components.of(image)
    statements: dict[str, Mapping[str, Any]] = {SPDX: spdx.document(name, bill, made_at(image))}
    if name in vex:
        statements[OPENVEX] = vex[name]
    return statements


def require_registry(sign_key: str, registry: str) -> None:
    """Raise SutraError for a key without a registry: signatures are kept beside the images."""
    if sign_key and not registry:
        raise SutraError(
            f'{cosign.KNOB}: "{sign_key}" needs REGISTRY, where signatures are kept',
            "such as REGISTRY=localhost:5000/me",
        )


def prepared(targets: Iterable[str], sign_key: str, version: str, log: str = "") -> Signing | None:
    """Return what signs images of bake's `targets`, None without a key.

    Raises SutraError for whatever would fail later.
    """
    if not sign_key:
        return None
    signer = cosign.open_key(sign_key, log=transparency_log.open_log(log, os.environ))
    plan = buildx.bake_plan(list(dict.fromkeys(targets)), {})
    return Signing(signer, plan, version)


def refuse_other_commit(
    client: engine.Client, ids: Mapping[str, str], allow_unreadable: bool
) -> None:
    """Raise SutraError for an image of which this checkout cannot tell the materials.

    Git has those of a service that `make rebase` moved: of an earlier commit than its base.
    """
    here = git.labels(allow_unreadable=allow_unreadable).get("REVISION", "")
    revisions = {
        name: revision
        for name, identity in ids.items()
        if (revision := images.labels(client, identity).get(REVISION, "")) not in ("", "unknown")
    }
    earlier, others = older.split(revisions, here, older.rebased(client, ids))
    for name, revision in others.items():
        raise SutraError(
            f'{cosign.KNOB}: {name}: of commit "{revision}", and the locks here are of "{here}"',
            "`make prod` builds this commit; only what it was built from can be signed",
        )
    for line in older.changes(earlier, here).own:
        raise SutraError(f"{cosign.KNOB}: {line}", refusals.BUILD)
