"""The certificates that builders trust never reach an image."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import docker
import pytest

from scripts.build import root_image
from scripts.common import settings
from scripts.engine import buildx, images
from tests.conftest import ROOT
from tests.support.archives import layer_bytes
from tests.support.names import IMAGES
from tests.support.project import Project

PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s+(.*?)-----END CERTIFICATE-----", re.DOTALL)


def certificates(bundle: bytes) -> set[bytes]:
    """Return the certificates of a PEM bundle, as DER."""
    return {base64.b64decode(text) for text in PEM.findall(bundle)}


def leaks(private: Iterable[bytes], blobs: Iterable[bytes]) -> set[bytes]:
    """Return the certificates of `private` that any of `blobs` holds, as DER or in any PEM."""
    needles = {certificate: (certificate, _middle_line(certificate)) for certificate in private}
    return {
        certificate
        for blob in blobs
        for certificate, forms in needles.items()
        if any(form in blob for form in forms)
    }


def _middle_line(certificate: bytes) -> bytes:
    """Return one whole line of the certificate's PEM form, from its middle: its key."""
    lines = base64.encodebytes(certificate).replace(b"\n", b"")
    lines64 = [lines[start : start + 64] for start in range(0, len(lines), 64)]
    return lines64[len(lines64) // 2]


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A bundle with one certificate that only this test has, and that certificate."""
    folder = tmp_path_factory.mktemp("ca")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=Private Test CA", "-keyout", "key.pem", "-out", "ca.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (certificate,) = certificates((folder / "ca.pem").read_bytes())
    return folder / "ca.pem", certificate


@pytest.mark.parametrize("image", IMAGES)
def test_no_image_holds_a_certificate_that_its_distribution_does_not_ship(
    client: docker.DockerClient, production: object, image: str
) -> None:
    """The builders' bundle without Debian's own certificates: the others are private."""
    bundle = settings.ca_bundle({})
    assert bundle, "this system has no bundle of certificates"
    public = client.containers.create("sutra-base-rust-runtime:prod", command=["/nothing"])
    try:
        archive = b"".join(public.get_archive("/etc/ssl/certs/ca-certificates.crt")[0])
    finally:
        public.remove()
    shipped = certificates(archive)
    assert len(shipped) > 100
    ours = certificates(Path(bundle).read_bytes()) - shipped
    if not ours:
        pytest.skip("not run here: this system trusts no private certificate")
    assert leaks(ours, layer_bytes(client, f"{image}:prod")) == set()


@pytest.mark.parametrize(
    "dockerfile",
    ["base-images/rust-runtime-prod.Dockerfile", "packages/sutra-api/Dockerfile.prod"],
)
def test_a_build_from_nothing_with_a_private_certificate_leaves_no_trace(
    client: docker.DockerClient,
    toolchain: object,
    production: object,
    private: tuple[Path, bytes],
    tmp_path: Path,
    dockerfile: str,
) -> None:
    """A secret's content is not part of the cache's key: only an uncached build shows it."""
    bundle, certificate = private
    both = tmp_path / "both.pem"
    both.write_bytes(bundle.read_bytes() + Path(settings.ca_bundle({})).read_bytes())
    tag = f"sutra-test-ca-{os.getpid()}:plain"
    folder = "base-images" if dockerfile.startswith("base-images/") else "."
    command = [buildx.find_client(), "build", "--no-cache", "-f", dockerfile, "-t", tag]
    command += ["--secret", f"id=ca,src={both}"]
    image = root_image.root_image(buildx.bake_plan(["bases"], {}))
    if context := root_image.context(client, image):
        command += ["--build-context", f"{image}={context}"]
    done = subprocess.run([*command, folder], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    try:
        assert leaks([certificate], layer_bytes(client, tag)) == set()
    finally:
        images.untag(client, tag)


def test_a_secret_bundle_is_used_and_leaves_no_trace(
    project: Project,
    client: docker.DockerClient,
    toolchain: object,
    private: tuple[Path, bytes],
) -> None:
    bundle, certificate = private
    bake = (project.folder / "docker-bake.hcl").read_text()
    project.write(
        "docker-bake.hcl",
        'variable "CA_BUNDLE" { default = "" }\n'
        + bake.replace("  tags ", '  secret = ["type=file,id=ca,src=${CA_BUNDLE}"]\n  tags '),
    )
    project.write(
        "Dockerfile",
        "FROM sutra-base-python:latest\n"
        "RUN --mount=type=secret,id=ca with-ca sh -c "
        f"'cmp $PIP_CERT /run/secrets/ca && test $(wc -c <$PIP_CERT) = {bundle.stat().st_size} "
        f"&& echo {project.name} >/seen'\n",
    )
    done = project.run("build", CA_BUNDLE=str(bundle))
    assert done.returncode == 0, done.stderr
    assert leaks([certificate], layer_bytes(client, f"{project.name}:prod")) == set()


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_the_search_finds_a_certificate_that_did_leak(
    project: Project, client: docker.DockerClient, private: tuple[Path, bytes], form: str
) -> None:
    bundle, certificate = private
    content = bundle.read_bytes() if form == "PEM" else certificate
    (project.folder / "content").write_bytes(content)
    assert project.run("build").returncode == 0
    assert leaks([certificate], layer_bytes(client, f"{project.name}:prod")) == {certificate}
