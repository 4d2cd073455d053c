"""Promotions that sign, in a real registry; cosign itself verifies the result."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from scripts.common.errors import SutraError
from scripts.history import journal, ledger
from scripts.oci.manifest import digest_of
from scripts.oci.registry_artifacts import ArtifactRegistry
from scripts.promotion import planned, promote
from scripts.promotion.options import Options
from scripts.signing import attached
from tests.support import cosign, rekor
from tests.support.registries import registry
from tests.support.rekor import Rekor
from tests.support.tiny import Group
from tests.unit.fakes import program

PLAIN = ["--allow-http-registry", "--insecure-ignore-tlog=true"]


pytestmark = pytest.mark.usefixtures("checks_of_sizes")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("signed")) as host:
        yield f"{host}/team"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return cosign.key_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def group(group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    """The same with cosign and the password of its keys."""
    group.write_bake_file()
    monkeypatch.setenv("PATH", cosign.on_path(tmp_path / "bin"))
    monkeypatch.setenv("COSIGN_PASSWORD", cosign.PASSWORD)
    return group


def signed(group: Group, address: str, key: Path, **knobs: str) -> int:
    environment = {"ALLOW_DIRTY": "1", "REGISTRY": address, "SIGN_KEY": str(key), **knobs}
    return promote.verify_and_promote(group.client, Options.read(environment))


def verify(
    public: Path, reference: str, *words: str, options: Sequence[str] = PLAIN
) -> subprocess.CompletedProcess[str]:
    kind = "verify-attestation" if "--type" in words else "verify"
    command = ["cosign", kind, "--key", str(public), *options, *words, reference]
    return subprocess.run(command, capture_output=True, text=True)


def said(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the statement that `cosign verify-attestation` printed."""
    assert done.returncode == 0, done.stderr
    return dict(json.loads(base64.b64decode(json.loads(done.stdout)["payload"])))


def tags(group: Group, address: str, kinds: tuple[str, ...] = (".sig", ".att")) -> set[str]:
    target = ArtifactRegistry(group.client, address)
    return {
        f"{name}:{tag}" for name in group.names for tag in target.tags(name) if tag.endswith(kinds)
    }


def assert_nothing_is_deployed(group: Group, address: str) -> None:
    assert set(group.tags()) == {f"{name}:prod" for name in group.names}
    assert ledger.read() == []
    assert journal.read() is None
    target = ArtifactRegistry(group.client, address)
    for name in group.names:
        assert all(tag.startswith(planned.KEPT) for tag in target.tags(name)), name


def test_cosign_verifies_image_and_provenance_of_every_image(
    group: Group, address: str, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    group.build("one")
    (group.folder / "requirements.lock").write_text("locked")
    assert signed(group, address, keys[0], VERSION="1.4.2") == 0
    [entry] = ledger.read()
    assert entry.verdict.endswith(" checks passed, signed")
    other = cosign.key_pair(tmp_path / "other")[1]
    for name, image in entry.images.items():
        reference = f"{address}/{name}@{image.digest}"
        done = verify(keys[1], reference, "-a", "version=1.4.2")
        assert done.returncode == 0, done.stderr
        [payload] = json.loads(done.stdout)
        assert payload["critical"]["image"] == {"docker-manifest-digest": image.digest}
        assert payload["critical"]["identity"] == {"docker-reference": f"{address}/{name}"}
        assert verify(keys[1], reference, "-a", "version=1.4.1").returncode
        assert verify(other, reference).returncode
        statement = said(verify(keys[1], reference, "--type", "slsaprovenance1"))
        assert statement["subject"] == [
            {"name": f"{address}/{name}", "digest": {"sha256": image.digest[7:]}}
        ]
        predicate = statement["predicate"]
        assert predicate["runDetails"] == {"builder": {"id": "urn:sutra:builder:local"}}
        assert predicate["buildDefinition"]["resolvedDependencies"] == [
            {
                "uri": "file:requirements.lock",
                "name": "requirements.lock",
                "digest": {
                    "sha256": "14493f5f5470ed48c3f103d917ec52ae9005fa3913128031d0fac2a49ac3cc41"
                },
            }
        ]


def test_a_bill_of_materials_is_attached_to_its_image_and_refused_for_another(
    group: Group, address: str, keys: tuple[Path, Path]
) -> None:
    ids = group.build("bill")
    folder = group.folder / ".build/sbom"
    folder.mkdir(parents=True)
    bill = {"spdxVersion": "SPDX-2.3", "documentNamespace": f"urn:{ids[group.api]}"}
    (folder / f"{group.api}.spdx.json").write_text(json.dumps(bill))
    assert signed(group, address, keys[0]) == 0
    digest = ledger.read()[-1].images[group.api].digest
    reference = f"{address}/{group.api}@{digest}"
    assert said(verify(keys[1], reference, "--type", "spdxjson"))["predicate"] == bill
    base = next(name for name in group.names if name != group.api)
    reference = f"{address}/{base}@{ledger.read()[-1].images[base].digest}"
    derived = said(verify(keys[1], reference, "--type", "spdxjson"))["predicate"]
    assert derived["documentNamespace"].endswith(ids[base].removeprefix("sha256:"))
    before = group.tags()
    group.build("another")
    with pytest.raises(SutraError) as caught:
        signed(group, address, keys[0])
    path = f".build/sbom/{group.api}.spdx.json"
    identity = group.client.images.get(f"{group.api}:prod").id
    assert caught.value.message == f"{path}: of another image, it does not name {identity}"
    assert {tag: image for tag, image in group.tags("prod").items()} == {
        tag: image for tag, image in before.items() if not tag.endswith(":prod")
    }
    assert len(ledger.read()) == 1


def test_signing_again_replaces_and_another_key_adds(
    group: Group, address: str, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    group.build("again")
    second = cosign.key_pair(tmp_path / "second")
    for key in (keys[0], keys[0], second[0]):
        assert signed(group, address, key) == 0
    digest = ledger.read()[-1].images[group.api].digest
    target = ArtifactRegistry(group.client, address)
    # a signature of each key; a provenance and a bill of materials of each
    for suffix, number in (("sig", 2), ("att", 4)):
        document = target.document(target.reference(group.api, attached.tag_of(digest, suffix)))
        assert document is not None
        assert len(json.loads(document[1])["layers"]) == number
    for public in (keys[1], second[1]):
        assert verify(public, f"{address}/{group.api}@{digest}").returncode == 0


# ---- bad input -------------------------------------------------------------


def test_a_key_needs_a_registry(group: Group, keys: tuple[Path, Path]) -> None:
    with pytest.raises(SutraError) as caught:
        signed(group, "", keys[0])
    assert caught.value.message == (
        f'SIGN_KEY: "{keys[0]}" needs REGISTRY, where signatures are kept'
    )


def test_a_password_that_does_not_fit(
    group: Group, address: str, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    group.build("password")
    monkeypatch.setenv("COSIGN_PASSWORD", "wrong")
    with pytest.raises(SutraError) as caught:
        signed(group, address, keys[0])
    assert caught.value.message == (
        f'SIGN_KEY: "{keys[0]}": cosign cannot use it: decrypt: encrypted: decryption failed'
    )
    assert caught.value.tip == "check that file, and that COSIGN_PASSWORD is its password"
    assert_nothing_is_deployed(group, address)


@pytest.mark.parametrize(
    ("death", "problem"),
    [
        ("kill -9 $$", "cosign was ended by signal 9, nothing is signed"),
        ("echo 'Error: out of entropy' >&2; exit 1", "cosign cannot use it: out of entropy"),
        ("echo AAAA", "cosign gave a signature that does not verify"),
    ],
)
def test_a_signer_that_dies_or_lies_at_its_second_signature(
    group: Group,
    address: str,
    keys: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    death: str,
    problem: str,
) -> None:
    real = cosign.program()
    script = (
        f'case "$1" in sign-blob) if [ -e {tmp_path}/once ]; then {death}; exit; fi; '
        f': >{tmp_path}/once;; esac\nexec {real} "$@"\n'
    )
    program(tmp_path / "dying", "cosign", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'dying'}:{os.environ['PATH']}")
    group.build(f"dies {death}")
    with pytest.raises(SutraError) as caught:
        signed(group, address, keys[0])
    assert caught.value.message == f'SIGN_KEY: "{keys[0]}": {problem}'
    assert_nothing_is_deployed(group, address)


def test_images_of_another_commit_are_not_signed(
    group: Group, address: str, keys: tuple[Path, Path]
) -> None:
    group.build("commit", revision="0" * 40)
    with pytest.raises(SutraError) as caught:
        signed(group, address, keys[0])
    assert caught.value.message == (
        f'SIGN_KEY: {group.base}: of commit "{"0" * 40}", and the locks here are of ""'
    )
    assert_nothing_is_deployed(group, address)


def test_the_password_is_in_no_argument_and_no_file(
    group: Group,
    address: str,
    keys: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    real = cosign.program()
    program(tmp_path / "telling", "cosign", f'echo "$@" >>{tmp_path}/argv\nexec {real} "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path / 'telling'}:{os.environ['PATH']}")
    group.build("secret")
    assert signed(group, address, keys[0]) == 0
    out = capfd.readouterr()
    texts = [(tmp_path / "argv").read_text(), out.out, out.err, ledger.LEDGER.read_text()]
    assert len(texts[0].splitlines()) > 6
    assert not any(cosign.PASSWORD in text for text in texts)


def test_a_provenance_that_was_edited_by_one_byte_does_not_verify(
    group: Group, address: str, keys: tuple[Path, Path]
) -> None:
    group.build("edited")
    assert signed(group, address, keys[0]) == 0
    digest = ledger.read()[-1].images[group.api].digest
    edit_provenance(group.client, address, group.api, digest)
    reference = f"{address}/{group.api}@{digest}"
    assert verify(keys[1], reference).returncode == 0
    assert verify(keys[1], reference, "--type", "slsaprovenance1").returncode


def edit_provenance(client: docker.DockerClient, address: str, image: str, digest: str) -> None:
    """Have the registry serve the provenance with one byte of its statement changed."""
    target = ArtifactRegistry(client, address)
    tag = target.reference(image, attached.tag_of(digest, "att"))
    document = target.document(tag)
    assert document is not None
    manifest = json.loads(document[1])
    host, _, path = address.partition("/")
    blob = requests.get(
        f"http://{host}/v2/{path}/{image}/blobs/{manifest['layers'][0]['digest']}", timeout=10
    ).content
    envelope = json.loads(blob)
    statement = base64.b64decode(envelope["payload"]).replace(b"builder:local", b"builder:locaL")
    envelope["payload"] = base64.b64encode(statement).decode()
    data = json.dumps(envelope).encode()
    assert data != blob
    target.put_blob(image, data)
    manifest["layers"][0] |= {"digest": digest_of(data), "size": len(data)}
    changed = json.dumps(manifest).encode()
    target.put_manifest(image, manifest["mediaType"], changed)
    target.move(tag, digest_of(changed))


# ---- a transparency log, where one is wanted -------------------------------


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Rekor]:
    with rekor.serving(tmp_path / "rekor") as served:
        yield served


def from_log(log: Rekor) -> list[str]:
    """Return the options with which cosign takes only what is in the log."""
    return ["--allow-http-registry", "--offline=true", "--rekor-url", log.address]


def test_cosign_finds_every_signature_in_the_log_that_was_asked_for(
    group: Group,
    address: str,
    keys: tuple[Path, Path],
    log: Rekor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the log's address cosign accepts nothing; it asks no log that is attached."""
    group.build("logged")
    assert signed(group, address, keys[0], TRANSPARENCY_LOG=log.address) == 0
    digest = ledger.read()[-1].images[group.api].digest
    reference = f"{address}/{group.api}@{digest}"
    # per image a signature, a provenance and a bill of materials
    kinds = [entry["kind"] for entry in log.entries]
    assert (kinds.count("hashedrekord"), kinds.count("dsse")) == (3, 6)
    monkeypatch.setenv("SIGSTORE_REKOR_PUBLIC_KEY", str(log.public))
    for words in ([], ["--type", "slsaprovenance1"], ["--type", "spdxjson"]):
        done = verify(keys[1], reference, *words, options=from_log(log))
        assert done.returncode == 0, done.stderr
        assert verify(keys[1], reference, *words).returncode == 0
    # another log's key: the entry is no proof
    log.make_key()
    assert verify(keys[1], reference, options=from_log(log)).returncode


def test_signatures_without_a_log_are_in_none(
    group: Group,
    address: str,
    keys: tuple[Path, Path],
    log: Rekor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group.build("offline")
    assert signed(group, address, keys[0]) == 0
    assert log.entries == []
    monkeypatch.setenv("SIGSTORE_REKOR_PUBLIC_KEY", str(log.public))
    reference = f"{address}/{group.api}@{ledger.read()[-1].images[group.api].digest}"
    assert verify(keys[1], reference, options=from_log(log)).returncode
    assert verify(keys[1], reference).returncode == 0


def test_a_log_that_refuses_or_does_not_answer_moves_nothing(
    group: Group, address: str, keys: tuple[Path, Path], log: Rekor
) -> None:
    group.build("refused")
    log.answer = (400, b'{"message": "key is not known"}')
    with pytest.raises(SutraError) as caught:
        signed(group, address, keys[0], TRANSPARENCY_LOG=log.address)
    assert caught.value.message == (
        "TRANSPARENCY_LOG: 127.0.0.1: refused (HTTP 400): key is not known, nothing is signed"
    )
    assert_nothing_is_deployed(group, address)
    with pytest.raises(SutraError) as caught:
        signed(group, address, keys[0], TRANSPARENCY_LOG="http://127.0.0.1:9")
    assert caught.value.message == "TRANSPARENCY_LOG: 127.0.0.1: no connection, nothing is signed"
    assert_nothing_is_deployed(group, address)
