"""`VERIFY_KEY=… ./sutra-deploy.sh up` starts no unsigned, swapped or edited image.

Registry, engine, compose's reading of the file and cosign are real; what would start containers
is written down instead.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
import requests

from scripts.checks import gate
from scripts.engine import buildx
from scripts.history import ledger
from scripts.oci.registry_artifacts import ArtifactRegistry
from scripts.promotion import promote
from scripts.promotion.options import Options
from scripts.signing import attached
from tests.conftest import ROOT
from tests.engine.test_signing import edit_provenance
from tests.support import cosign, sizes_only
from tests.support.registries import registry
from tests.support.tiny import Group, archive
from tests.unit.fakes import program

CLIENT = """case "$*" in
  *" up "* | run* | *" port "*) echo "$*" >>asked ;;
  *) exec {client} "$@" ;;
esac
"""
SERVICE = "  {name}: {{image: '${{REGISTRY:+${{REGISTRY-}}/}}{image}:${{SUTRA_TAG:-latest}}'}}\n"
# cosign's own words
NO_KEY = "invalid signature when validating ASN.1 encoded signature"
OTHER_VERSION = "no matching signatures: missing or incorrect annotation"
UNSIGNED = "no signatures found"
# the bill of materials beside the provenance was not edited
EDITED = (
    "none of the attestations matched the predicate type: slsaprovenance1, "
    "found: https://spdx.dev/Document"
)


@dataclass
class Deployment:
    """A group with a compose file and a key, and a registry."""

    group: Group
    address: str
    keys: tuple[Path, Path]

    def promote(self, content: str, version: str = "") -> dict[str, str]:
        """Build, sign and promote; return image → the registry's digest."""
        self.group.build(content)
        knobs = {"ALLOW_DIRTY": "1", "REGISTRY": self.address, "VERSION": version}
        knobs["SIGN_KEY"] = str(self.keys[0])
        assert promote.verify_and_promote(self.group.client, Options.read(knobs)) == 0
        images = ledger.read()[-1].images
        return {name: image.digest for name, image in images.items()}

    def up(self, **knobs: str) -> tuple[int, str]:
        variables = {
            **os.environ,
            "VERIFY_KEY": str(self.keys[1]),
            "REGISTRY": self.address,
            **knobs,
        }
        done = subprocess.run(
            ["./sutra-deploy.sh", "up"], env=variables, capture_output=True, text=True
        )
        return done.returncode, done.stderr

    def refused(self, image: str, why: str, **knobs: str) -> None:
        """Assert that nothing is started, with one line and one tip."""
        Path("asked").unlink(missing_ok=True)
        code, said = self.up(**knobs)
        lines = [line for line in said.splitlines() if not line.startswith("sutra-deploy: signed ")]
        assert lines == [
            f'sutra-deploy: up: not signed "{image}": {why}',
            "tip: `make promote REGISTRY=… SIGN_KEY=…` signs what it promotes; nothing was touched",
        ]
        assert code == 1
        assert not Path("asked").exists()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("signed")) as host:
        yield f"{host}/team"


@pytest.fixture
def deployment(
    client: docker.DockerClient,
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Deployment]:
    group = Group(client, tmp_path / "project", f"d{uuid.uuid4().hex[:8]}")
    group.write_bake_file()
    services = {"api": group.api, "hybrid": group.hybrid}
    compose = "name: signed\nservices:\n" + "".join(
        SERVICE.format(name=name, image=image) for name, image in services.items()
    )
    (group.folder / "docker-compose.yml").write_text(compose)
    (group.folder / "scripts").mkdir()
    shutil.copy(ROOT / "sutra-deploy.sh", group.folder)
    shutil.copy(ROOT / "scripts/common.sh", group.folder / "scripts")
    script = CLIENT.format(client=buildx.find_client())
    monkeypatch.chdir(group.folder)
    monkeypatch.setattr(gate, "everything", sizes_only.everything)
    monkeypatch.setenv("DOCKER", str(program(tmp_path / "client", "docker", script)))
    monkeypatch.setenv("PATH", cosign.on_path(tmp_path / "bin"))
    monkeypatch.setenv("COSIGN_PASSWORD", cosign.PASSWORD)
    yield Deployment(group, address, cosign.key_pair(tmp_path / "keys"))
    group.remove()


def test_what_is_signed_is_started_by_its_digest(deployment: Deployment) -> None:
    group = deployment.group
    digests = deployment.promote("one", "1.4.2")
    for tag in ("latest", "1.4.2"):
        Path("asked").unlink(missing_ok=True)
        assert deployment.up(SUTRA_TAG=tag)[0] == 0
        pinned = {
            name: f"{deployment.address}/{image}@{digests[image]}"
            for name, image in (("api", group.api), ("hybrid", group.hybrid))
        }
        assert Path(".build/verified.yml").read_text() == "services:\n" + "".join(
            f'  {name}: {{image: "{reference}"}}\n' for name, reference in pinned.items()
        )
        started = [line for line in Path("asked").read_text().splitlines() if " up " in line]
        assert started == [
            "compose --project-directory . --file docker-compose.yml --file .build/verified.yml "
            "--project-name signed up --detach --remove-orphans --wait --wait-timeout 120"
        ]


def test_unsigned_and_swapped_images_are_refused(deployment: Deployment, tmp_path: Path) -> None:
    group, address, client = deployment.group, deployment.address, deployment.group.client
    deployment.promote("one", "1.4.1")
    deployment.promote("two", "1.4.2")
    api = f"{address}/{group.api}"
    other, key = cosign.key_pair(tmp_path / "other")[1], deployment.keys[1]
    why = f"no signature of {other} (no matching signatures: {NO_KEY})"
    deployment.refused(f"{api}:latest", why, VERIFY_KEY=str(other))
    # an older image, signed with the same key, under a newer version's tag
    older = f"{address}/{group.api}:1.4.1"
    client.api.pull(older)
    client.api.tag(older, api, "1.4.2")
    why = f"no signature of {key} for version 1.4.2 ({OTHER_VERSION})"
    deployment.refused(f"{api}:1.4.2", why, SUTRA_TAG="1.4.2")
    # an image that nobody promoted
    client.api.import_image_from_data(archive("evil"), repository=api, tag="latest")
    client.api.push(api, "latest")
    why = f"no signature of {key} ({UNSIGNED})"
    deployment.refused(f"{api}:latest", why)
    for tag in ("latest", "1.4.1", "1.4.2"):
        client.api.remove_image(f"{api}:{tag}", noprune=True)


def test_images_swapped_in_the_registry_and_edited_provenance(deployment: Deployment) -> None:
    group, address = deployment.group, deployment.address
    digests = deployment.promote("three")
    api = f"{address}/{group.api}:latest"
    copy_signed(deployment, group.hybrid, group.api, digests[group.hybrid])
    target = ArtifactRegistry(group.client, address)
    target.move(api, digests[group.hybrid])
    deployment.refused(api, "signed as another image")
    group.client.api.remove_image(api, noprune=True)
    target.move(api, digests[group.api])
    edit_provenance(group.client, address, group.api, digests[group.api])
    why = f"no provenance that {deployment.keys[1]} has signed ({EDITED})"
    deployment.refused(api, why, SUTRA_PULL="always")
    group.client.api.remove_image(api, noprune=True)


def copy_signed(deployment: Deployment, source: str, goal: str, digest: str) -> None:
    """Put another image into an image's repository, with its signature and provenance."""
    target = ArtifactRegistry(deployment.group.client, deployment.address)
    host, _, path = deployment.address.partition("/")
    copied = f"{deployment.address}/{goal}"
    deployment.group.client.api.tag(f"{source}:prod", copied, "swap")
    deployment.group.client.api.push(copied, "swap")
    deployment.group.client.api.remove_image(f"{copied}:swap", noprune=True)
    for suffix in ("sig", "att"):
        tag = attached.tag_of(digest, suffix)
        document = target.document(target.reference(source, tag))
        assert document is not None
        manifest = json.loads(document[1])
        for blob in (manifest["config"], *manifest["layers"]):
            address = f"http://{host}/v2/{path}/{source}/blobs/{blob['digest']}"
            target.put_blob(goal, requests.get(address, timeout=10).content)
        target.put_manifest(goal, manifest["mediaType"], document[1])
        target.move(target.reference(goal, tag), document[0])


def test_without_cosign_or_a_key(deployment: Deployment, tmp_path: Path) -> None:
    code, said = deployment.up(VERIFY_KEY="none.pub")
    assert (code, said) == (
        2,
        'sutra-deploy: VERIFY_KEY: no such file "none.pub"\n'
        "tip: name the public key, such as VERIFY_KEY=cosign.pub\n",
    )
    code, said = deployment.up(REGISTRY="")
    assert (code, said) == (
        2,
        "sutra-deploy: VERIFY_KEY: needs REGISTRY, where signatures are kept\n"
        "tip: such as REGISTRY=registry.example/team "
        f"VERIFY_KEY={deployment.keys[1]} ./sutra-deploy.sh up\n",
    )
    (tmp_path / "bin/cosign").unlink()
    code, said = deployment.up()
    assert (code, said) == (
        2,
        "sutra-deploy: VERIFY_KEY: needs cosign, which is not on PATH\n"
        "tip: install it: Debian 13's package `cosign` (its one binary runs on 12 as well)\n",
    )
