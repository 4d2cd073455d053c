"""The digests that promotion writes for Kubernetes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from scripts.common.errors import DiskError
from scripts.deploy import kustomize_images
from scripts.history.ledger import Entry, Promoted

ID, DIGEST = "sha256:" + "1" * 64, "sha256:" + "2" * 64
ENTRY = Entry(
    number=7,
    at="2026-01-02T03:04:05Z",
    who="a@b",
    verb="promote",
    version="1.4.2",
    commit="c",
    registry="r.example:5000/team",
    verdict="9 checks passed",
    of=7,
    previous=6,
    tags={"latest": 7},
    images={
        "sutra-api": Promoted(ID, DIGEST, "c", 1, 1),
        "sutra-hybrid": Promoted(ID, "", "c", 1, 1),
    },
)
LOCAL = replace(ENTRY, number=8, registry="", version="")


def test_the_file_has_every_digest_of_the_last_promotion_to_a_registry(folder: Path) -> None:
    kustomize_images.write([replace(ENTRY, number=6, version="1.4.1"), ENTRY, LOCAL])
    mark, _, text = kustomize_images.FILE.read_text().partition("\n")
    assert mark == f"# sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    assert text == (
        "# Written by promote 7 (1.4.2) at 2026-01-02T03:04:05Z; the next one overwrites it.\n"
        "apiVersion: kustomize.config.k8s.io/v1alpha1\n"
        "kind: Component\n"
        "images:\n"
        "- name: sutra-api\n"
        "  newName: r.example:5000/team/sutra-api\n"
        f"  digest: {DIGEST}\n"
        "patches:\n"
        "- target:\n"
        "    kind: Deployment|StatefulSet\n"
        '  patch: \'[{"op": "replace", "path": "/spec/template/spec/containers/0/imagePullPolicy", '
        '"value": "IfNotPresent"}]\n'
        "\n"
        "    '\n"
    )


def test_without_a_registry_there_is_no_file(folder: Path) -> None:
    kustomize_images.write([LOCAL])
    assert not kustomize_images.FILE.exists()


def test_a_ledger_that_was_edited_writes_no_other_key(folder: Path) -> None:
    # the ledger's reader takes no line feed; a quote stays within its value
    kustomize_images.write([replace(ENTRY, registry='r": x')])
    written = yaml.safe_load(kustomize_images.FILE.read_text())
    assert written["images"][0]["newName"] == 'r": x/sutra-api'


def test_a_file_that_cannot_be_written_is_one_line(folder: Path) -> None:
    Path(".build").touch()
    with pytest.raises(DiskError) as caught:
        kustomize_images.write([ENTRY])
    assert caught.value.message == (
        'kubernetes: cannot write ".build/kubernetes/images/kustomization.yaml": Not a directory'
    )


def test_a_promotion_overwrites_what_was_edited_by_hand(folder: Path) -> None:
    kustomize_images.write([ENTRY])
    written = kustomize_images.FILE.read_text()
    kustomize_images.FILE.write_text(written.replace(DIGEST, ID))
    kustomize_images.write([ENTRY])
    assert kustomize_images.FILE.read_text() == written


def test_all_platforms_of_an_image_are_one_digest() -> None:
    """In the ledger both have the digest of their index."""
    image = Promoted(ID, DIGEST, "c", 1, 1)
    both = replace(ENTRY, images={"sutra-api": image, "arm64/sutra-api": image})
    alone = replace(ENTRY, images={"arm64/sutra-api": image})
    assert kustomize_images.text(both) == kustomize_images.text(alone)
    assert yaml.safe_load(kustomize_images.text(both))["images"] == [
        {"name": "sutra-api", "newName": "r.example:5000/team/sutra-api", "digest": DIGEST}
    ]
