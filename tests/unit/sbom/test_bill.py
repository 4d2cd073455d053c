"""Bills of materials: what is in them, and that the formats' own validators take them."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from scripts.__main__ import main as front_door
from scripts.common.errors import SutraError
from scripts.image import inventory, rust_crates
from scripts.image.elf import Elf
from scripts.image.inventory import Entry
from scripts.sbom import components, locks
from scripts.sbom.components import Bill
from scripts.sbom.made_at import made_at
from tests.support.good_image import SITE, good

DEP5 = "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
CATALOG = """\
release: {budget: {installed: 6 MB, download: 2 MB}}
images: {sutra-good: {budget: {installed: 6 MB, download: 2 MB}}}
"""


def cyclonedx_error(text: str) -> object | None:
    """Return what the format's own validator says against a document, None where it is valid."""
    # imported here: its grammars take 1.5 s, which every worker would pay to collect the tests
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)


def bill(folder: Path, **files: str) -> Bill:
    image = inventory.read(None, f"archive:{good(files).save(folder / 'x.tar')}", folder / "c")
    assert image
    return components.of(image)


@pytest.fixture
def written(folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The documents of the good image, and a file in it that belongs to nobody."""
    (folder / "images.yaml").write_text(CATALOG)
    good({"var/stray\x01": "1"}).save(folder / "x.tar")
    assert front_door(["sbom", "sutra-good", "archive:x.tar"]) == 0
    return folder / ".build/sbom"


def test_components_are_those_of_the_records(tmp_path: Path) -> None:
    billed = bill(tmp_path)
    assert [component.purl for component in billed.components] == [
        "pkg:generic/sutra/sutra-good@1.2.3",
        "pkg:deb/debian/libc6@2.41?distro=debian",
        "pkg:pypi/one@1.0",
    ]
    assert billed.counts() == {"application": 1, "deb": 1, "pypi": 1}


def test_every_file_is_of_one_component_or_of_none(tmp_path: Path) -> None:
    whole_bill = bill(tmp_path, **{"var/stray": "1"})
    listed = [entry.path for component in whole_bill.components for entry in component.files]
    stray = [entry.path for entry in whole_bill.unowned]
    files = {
        path for path, entry in whole_bill.image.files.items() if entry.kind in ("file", "hardlink")
    }
    assert len(listed) == len(set(listed))
    assert {*listed, *stray} == files
    assert "var/stray" in stray


def test_spdx_is_valid_by_its_own_tools(written: Path) -> None:
    path = written / "sutra-good.spdx.json"
    assert validate_full_spdx_document(parse_file(str(path))) == []
    text = path.read_text()
    assert json.loads(text)["packages"][0]["comment"].startswith("files of no package: /")


def test_cyclonedx_is_valid_by_its_own_schema(written: Path) -> None:
    text = (written / "sutra-good.cdx.json").read_text()
    assert cyclonedx_error(text) is None
    broken = text.replace('"CycloneDX"', '"Another"')
    assert cyclonedx_error(broken) is not None


def test_licences_that_are_names_are_in_both_documents_and_valid(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    text = f"Format: {DEP5}\n\nFiles: *\nLicense: GPL-2+\n\nFiles: b\nLicense: <x> or Expat\n"
    good({"usr/share/doc/libc6/copyright": text}).save(folder / "x.tar")
    assert front_door(["sbom", "sutra-good", "archive:x.tar"]) == 0
    spdx, cdx = (folder / f".build/sbom/sutra-good.{form}.json" for form in ("spdx", "cdx"))
    assert validate_full_spdx_document(parse_file(str(spdx))) == []
    assert cyclonedx_error(cdx.read_text()) is None
    first = {package["name"]: package for package in json.loads(spdx.read_text())["packages"]}
    second = {
        component["name"]: component for component in json.loads(cdx.read_text())["components"]
    }
    assert second["libc6"]["licenses"] == [
        {"license": {"name": "<x> or Expat"}},
        {"license": {"name": "GPL-2+"}},
    ]
    assert first["libc6"]["licenseDeclared"] == "NOASSERTION"
    assert first["libc6"]["licenseComments"] == "its record names <x> or Expat, GPL-2+"
    assert first["one"]["licenseComments"] == "not recorded: METADATA names none"
    assert "licenses" not in second["one"]


def test_both_documents_name_the_image_and_the_same_components(written: Path) -> None:
    first, second = (
        json.loads((written / f"sutra-good.{form}.json").read_text()) for form in ("spdx", "cdx")
    )
    assert second["metadata"]["component"]["version"] == first["packages"][0]["versionInfo"]
    purls = {package["externalRefs"][0]["referenceLocator"] for package in first["packages"][1:]}
    assert purls == {component["purl"] for component in second["components"] if "purl" in component}


def test_the_same_image_has_the_same_documents(written: Path) -> None:
    before = [path.read_bytes() for path in sorted(written.iterdir())]
    assert front_door(["sbom", "sutra-good", "archive:x.tar"]) == 0
    assert [path.read_bytes() for path in sorted(written.iterdir())] == before


def test_a_distribution_that_the_cleanup_lost_fails(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = written.parents[1] / "packages/sutra-good"
    service.mkdir(parents=True)
    (service / "requirements.lock").write_text(
        "one==1.0 \\\n    --hash=sha256:0\ntwo==2.0 ; sys_platform == 'win32' \\\n"
    )
    assert front_door(["sbom", "sutra-good", "archive:x.tar"]) == 0
    (service / "requirements.lock").write_text("one==1.0\nGone.Lib==3.1 \\\n    --hash=x\n")
    capsys.readouterr()
    assert front_door(["sbom", "sutra-good", "archive:x.tar"]) == 1
    assert capsys.readouterr().err == (
        'packages/sutra-good/requirements.lock: not in the image "pkg:pypi/gone-lib@3.1"\n'
        "tip: `make prod` builds it from the locks that are here; `make cleanup-report` shows "
        "what went\n"
    )


def test_a_distribution_that_is_locked_with_extras_counts(tmp_path: Path) -> None:
    billed = bill(tmp_path)
    lock = tmp_path / "requirements.lock"
    lock.write_text("gone[all,some-more]==3.1 \\\n    --hash=x\nother [x] == 2\n")
    assert locks.lost(billed, tmp_path) == [
        f'{lock}: not in the image "pkg:pypi/gone@3.1"',
        f'{lock}: not in the image "pkg:pypi/other@2"',
    ]


def test_a_crate_that_no_lock_names_is_reported(tmp_path: Path) -> None:
    elf = Elf("x86_64", "EXEC", language="rust", crates=(("serde", "1.0.1"), ("tokio", "1.2.3")))
    entry = Entry("usr/bin/x", "file", 1, 0o755, 0, 0, 0, elf=elf)
    (part, other) = components._Linked().of(entry)
    assert (part.purl, other.purl) == ("pkg:cargo/serde@1.0.1", "pkg:cargo/tokio@1.2.3")
    billed = bill(tmp_path)
    whole = Bill(billed.image, (*billed.components, part, other), ())
    (tmp_path / "Cargo.lock").write_text('[[package]]\nname = "serde"\nversion = "1.0.1"\n')
    assert locks.lost(whole, tmp_path) == [
        f'{tmp_path}/Cargo.lock: not locked "pkg:cargo/tokio@1.2.3"'
    ]
    (tmp_path / "Cargo.lock").write_text("[[package")
    with pytest.raises(SutraError, match=r"Cargo\.lock: cannot be read: "):
        locks.lost(whole, tmp_path)


NPM = "app/node_modules"
NPM_FILES = {
    f"{NPM}/a/package.json": '{"name": "a", "version": "1.0.0", "license": "mit"}',
    f"{NPM}/b/package.json": '{"name": "b", "version": "1.0.0"}',
    f"{NPM}/b/node_modules/a/package.json": (
        '{"name": "a", "version": "2.0.0", "license": "MIT or so"}'
    ),
    f"{NPM}/b/node_modules/a/index.js": "",
    f"{NPM}/@s/c/package.json": (
        '{"name": "@s/c", "version": "3.0.0", "licenses": [{"type": "MIT"}, {"type": "Own"}]}'
    ),
}


def test_npm_packages_are_listed_in_every_version(tmp_path: Path) -> None:
    packages = [
        component for component in bill(tmp_path, **NPM_FILES).components if component.kind == "npm"
    ]
    assert [
        (package.purl, package.licence, package.names, package.why, len(package.files))
        for package in packages
    ] == [
        ("pkg:npm/%40s/c@3.0.0", "", ("MIT", "Own"), "", 1),
        ("pkg:npm/a@1.0.0", "MIT", (), "", 1),
        ("pkg:npm/a@2.0.0", "", ("MIT or so",), "", 2),
        ("pkg:npm/b@1.0.0", "", (), "package.json names none", 1),
    ]


def test_an_npm_package_is_locked_and_there(tmp_path: Path) -> None:
    lock = tmp_path / "package-lock.json"
    packages = {
        "": {"name": "x", "version": "0.0.0"},
        "node_modules/a": {"version": "1.0.0"},
        "node_modules/alias": {"name": "@s/c", "version": "3.0.0"},
        "node_modules/b": {"version": "1.0.1"},
        "node_modules/of-tests": {"version": "1.0.0", "dev": True},
        "node_modules/of-another-system": {"version": "1.0.0", "optional": True},
        "node_modules/own": {"resolved": "packages/own", "link": True},
    }
    lock.write_text(json.dumps({"lockfileVersion": 3, "packages": packages}))
    assert locks.lost(bill(tmp_path, **NPM_FILES), tmp_path) == [
        f'{lock}: not in the image "pkg:npm/b@1.0.1"',
        f'{lock}: not locked "pkg:npm/a@2.0.0"',
        f'{lock}: not locked "pkg:npm/b@1.0.0"',
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "no key 'packages'"),
        ('{"packages": []}', "'list' object has no attribute 'items'"),
        ('{"packages": {"node_modules/a": {}}}', "no key 'version'"),
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ],
)
def test_a_damaged_lock_of_npm(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "package-lock.json").write_text(text)
    with pytest.raises(SutraError) as caught:
        locks.lost(bill(tmp_path), tmp_path)
    assert caught.value.message == f"{tmp_path}/package-lock.json: cannot be read: {problem}"
    assert caught.value.tip == "run `make lock`"


@pytest.mark.parametrize(
    ("kind", "name", "version", "expected"),
    [
        ("pypi", "Typing_Extensions", "4.1", "pkg:pypi/typing-extensions@4.1"),
        ("deb", "debian/libstdc++6", "14.2.0-19", "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19"),
        ("deb", "debian/x", "1:2~rc+b1", "pkg:deb/debian/x@1:2~rc%2Bb1"),
        ("golang", "golang.org/x/sync", "v0.17.0", "pkg:golang/golang.org/x/sync@v0.17.0"),
        ("generic", "libgomp", "", "pkg:generic/libgomp"),
    ],
)
def test_a_package_url(kind: str, name: str, version: str, expected: str) -> None:
    assert components.purl(kind, name, version) == expected


def test_a_library_that_a_wheel_brings_is_named(tmp_path: Path) -> None:
    path = f"{SITE}/one.libs/libgfortran-040039e1-0352e75f.so.5.0.0"
    entry = Entry(path, "file", 1, 0o644, 0, 0, 0)
    assert [component.purl for component in components._Linked().of(entry)] == [
        "pkg:generic/libgfortran@5.0.0"
    ]


def test_crates_of_a_program() -> None:
    listed = [
        {"name": "b", "version": "2"},
        {"name": "a", "version": "1"},
        {"name": "cc", "version": "1", "kind": "build"},
    ]
    section = zlib.compress(json.dumps({"packages": listed}).encode())
    assert rust_crates.crates(section) == (("a", "1"), ("b", "2"))


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b'{"packages": [1]}', b'{"packages": [{"name": 1, "version": 2}]}']
)
def test_a_section_of_another_form_has_no_crates(text: bytes) -> None:
    for section in (text, zlib.compress(text)):
        with pytest.raises(ValueError, match=r"^of another form$|Expecting value"):
            rust_crates.crates(section)


def test_a_time_is_of_the_form_that_both_formats_take(tmp_path: Path) -> None:
    billed = bill(tmp_path)
    assert made_at(billed.image) == "1970-01-01T00:00:00Z"
