"""What BuildKit's generator writes of a folder is what a layer of the same files gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import SutraError
from scripts.sbom import attached_bill, components, generator, scanned_folder
from scripts.sbom.components import Bill
from tests.conftest import ROOT

RECORD = "Package: libc6\nVersion: 2.41-12\nArchitecture: amd64\n"
METADATA = "Metadata-Version: 2.1\nName: h11\nVersion: 0.16.0\n\ntext"
PURLS = ("pkg:deb/debian/libc6@2.41-12?distro=debian-13", "pkg:pypi/h11@0.16.0")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files of a small image, with links of both kinds."""
    root = tmp_path / "core"
    site = "opt/sutra/lib/python3.13/site-packages"
    for name, text in {
        "etc/os-release": "ID=debian\nVERSION_ID=13\n",
        "var/lib/dpkg/status.d/libc6": RECORD,
        f"{site}/h11-0.16.0.dist-info/METADATA": METADATA,
        f"{site}/h11-0.16.0.dist-info/RECORD": "h11/__init__.py,,\n",
        f"{site}/h11/__init__.py": "",
        "app/of no package": "ours",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "lib").symlink_to("usr/lib")
    (root / "loop").symlink_to("/")
    os.link(root / "etc/os-release", root / "etc/same")
    return root


def generate(tree: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the generator as BuildKit does."""
    folder.mkdir(exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT}/base-images/lib",
        generator.SOURCE: str(tree),
        generator.DESTINATION: str(folder),
    }
    command = [sys.executable, "-m", "scripts.sbom.generator"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_the_statement_lists_what_the_records_name(tree: Path, tmp_path: Path) -> None:
    done = generate(tree, tmp_path / "out")
    assert (done.returncode, done.stdout, done.stderr) == (0, "3 components\n", "")
    [file] = (tmp_path / "out").iterdir()
    statement = json.loads(file.read_text())
    assert statement["_type"] == "https://in-toto.io/Statement/v0.1"
    assert statement["predicateType"] == "https://spdx.dev/Document"
    assert "subject" not in statement  # BuildKit's to fill in
    purls = [
        reference["referenceLocator"]
        for package in statement["predicate"]["packages"]
        for reference in package["externalRefs"]
    ]
    assert sorted(purls) == sorted([*PURLS, "pkg:generic/sutra/ours", "pkg:oci/core"])


def test_the_same_files_give_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert generate(tree, tmp_path / name).returncode == 0
        os.utime(tree / "app", (1, 1))
    first, two = ((tmp_path / name / "sutra.spdx.json").read_bytes() for name in ("one", "two"))
    assert first == two
    (tree / "app/of no package").write_text("other")
    assert generate(tree, tmp_path / "three").returncode == 0
    assert (tmp_path / "three/sutra.spdx.json").read_bytes() != first


def test_links_are_entries_and_are_not_followed(tree: Path) -> None:
    files = scanned_folder.read(tree, "core").files
    assert (files["loop"].kind, files["lib"].kind, files["etc/same"].kind) == (
        "symlink",
        "symlink",
        "hardlink",
    )
    assert not any(path.startswith("loop/") for path in files)


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = generate(tmp_path / "none", tmp_path / "out")
    tip = "tip: `docker buildx bake sutra-sbom-generator` builds the generator again\n"
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "sutra: sbom generator: FileNotFoundError: [Errno 2] No such file or directory: "
        f"'{tmp_path}/none'\n{tip}",
    )


def test_a_destination_that_cannot_be_written_is_one_line(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sutra.spdx.json").mkdir()
    done = generate(tree, tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.startswith("sutra: sbom generator: IsADirectoryError: ")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RecursionError("too deep"),
        OverflowError("too large"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        AttributeError("none"),
        TypeError("\x1b[2J\ntip: all is well"),
    ],
)
def test_whatever_ends_it_is_one_line(
    tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(scanned_folder, "read", fails)
    environment = {generator.SOURCE: str(tree), generator.DESTINATION: str(tmp_path)}
    assert generator.main(environment) == 1
    line, tip = capsys.readouterr().err.splitlines()
    assert line.startswith(f"sutra: sbom generator: {type(error).__name__}: ")
    assert line.isprintable()
    assert tip == f"tip: {generator.TIP}"
    assert not list(tmp_path.glob("*.json"))


def test_an_empty_name_is_not_the_working_folder(
    tree: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (generator.SOURCE, generator.DESTINATION):
        names = {generator.SOURCE: str(tree), generator.DESTINATION: str(folder), name: ""}
        assert generator.main(names) == 1
        assert f"KeyError: '{name}'" in capsys.readouterr().err
    assert not list(folder.glob("*.json"))


def test_what_buildkit_has_not_set_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert generator.main({}) == 1
    assert capsys.readouterr().err.startswith(
        "sutra: sbom generator: KeyError: 'BUILDKIT_SCAN_SOURCE'\ntip: "
    )


# ---- what a registry has ---------------------------------------------------

PLACE, IMAGE = "localhost:5000/me/api", "sha256:" + "1" * 64
REFERENCE = f"{PLACE}@sha256:{'0' * 64}"


class Store:
    """A registry with one index, one manifest of statements and their blobs."""

    def __init__(self, *statements: object, subject: str = IMAGE, kind: str = "spdx") -> None:
        self.blobs = [json.dumps(statement).encode() for statement in statements]
        notes = {
            attached_bill.KIND: "attestation-manifest",
            attached_bill.SUBJECT: subject,
        }
        types = {"spdx": "https://spdx.dev/Document", "slsa": "https://slsa.dev/provenance/v1"}
        self.index: object = {
            "manifests": [{"digest": IMAGE}, {"digest": "statements", "annotations": notes}]
        }
        self.layers = [
            {"digest": str(number), "annotations": {attached_bill.PREDICATE: types[kind]}}
            for number in range(len(statements))
        ]

    def manifest(self, reference: str, digest: str) -> bytes:
        assert reference == PLACE
        # BuildKit writes null for no statement
        manifest = {"layers": self.layers or None}
        return json.dumps(manifest if digest == "statements" else self.index).encode()

    def blob(self, reference: str, digest: str) -> bytes:
        return self.blobs[int(digest)]


def problem(store: Store) -> str:
    with pytest.raises(SutraError) as caught:
        attached_bill.read(store, REFERENCE)
    assert caught.value.tip == "run `make attest` again"
    return caught.value.message


def test_the_attached_document_is_read() -> None:
    assert attached_bill.read(Store({"predicate": {"a": 1}}), REFERENCE) == {"a": 1}


@pytest.mark.parametrize(
    ("store", "number"),
    [
        (Store(), "no"),
        (Store({"predicate": {}}, kind="slsa"), "no"),
        (Store({"predicate": {}}, subject="sha256:" + "2" * 64), "no"),
        (Store({"predicate": {}}, {"predicate": {}}), "2"),
    ],
)
def test_anything_but_one_document_about_the_image(store: Store, number: str) -> None:
    assert problem(store) == (f'attest: {number} bills of materials are attached to "{REFERENCE}"')


@pytest.mark.parametrize("statement", [[], {}, {"predicate": 1}, None])
def test_a_statement_of_another_form(statement: object) -> None:
    assert problem(Store(statement)) == f'attest: what is attached to "{REFERENCE}" is damaged'


@pytest.mark.parametrize("index", [[], {}, {"manifests": 1}, {"manifests": [1]}])
def test_an_index_of_another_form(index: object) -> None:
    store = Store({"predicate": {}})
    store.index = index
    assert problem(store) == f'attest: what is attached to "{REFERENCE}" is damaged'


def document(*purls: str) -> dict[str, Any]:
    return {
        "packages": [
            {"externalRefs": [{"referenceLocator": purl}]} for purl in (*purls, "pkg:oci/core")
        ]
    }


@pytest.fixture
def bill(tree: Path) -> Bill:
    return components.of(scanned_folder.read(tree, "core"))


def test_a_document_of_this_image(bill: Bill) -> None:
    assert attached_bill.refuse_other(document(*PURLS, "pkg:generic/x"), bill, REFERENCE) == 2


@pytest.mark.parametrize(
    ("purls", "what"),
    [
        (PURLS[:1], f'"{PURLS[1]}" is not listed'),
        ((*PURLS, "pkg:pypi/a@1"), '"pkg:pypi/a@1" is not in the image'),
        ((*PURLS, "pkg:a\x1b[2J\n"), '"pkg:a\ufffd[2J\ufffd" is not in the image'),
    ],
)
def test_a_document_of_another_image(bill: Bill, purls: tuple[str, ...], what: str) -> None:
    with pytest.raises(SutraError) as caught:
        attached_bill.refuse_other(document(*purls), bill, REFERENCE)
    assert caught.value.message == f'attest: "{REFERENCE}": {what}'


@pytest.mark.parametrize("value", [{}, {"packages": [1]}, {"packages": [{"externalRefs": [{}]}]}])
def test_a_document_of_another_form(bill: Bill, value: dict[str, Any]) -> None:
    with pytest.raises(SutraError) as caught:
        attached_bill.refuse_other(value, bill, REFERENCE)
    assert caught.value.message == f'attest: what is attached to "{REFERENCE}" is damaged'
