from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.console import Console

from scripts.__main__ import main as front_door
from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.sizes import budgets, growth, measure
from scripts.checks.sizes.growth import Change, explain
from scripts.commands import diff
from scripts.common.errors import EngineError, SutraError
from scripts.common.units import format_change
from scripts.history import ledger
from scripts.history.ledger import Entry, Promoted
from scripts.image.inventory import Inventory, read
from scripts.oci.layer import Measured
from tests.support.fixture_images import buildinfo, elf
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

SITE = "opt/lib/site-packages/"
MB = 1_000_000


def distribution(name: str, version: str, files: Mapping[str, int]) -> bytes:
    """Return a layer with one installed distribution; `files` are sizes in bytes by path."""
    info = f"{SITE}{name}-{version}.dist-info/"
    record = "".join(f"{path},,\n" for path in files)
    return tar_of(
        {
            **{SITE + path: b"x" * size for path, size in files.items()},
            info + "METADATA": f"Name: {name}\nVersion: {version}\n".encode(),
            info + "RECORD": record.encode(),
        }
    )


BASE = tar_of({"usr/lib/base": b"x" * MB})
OLD = [BASE, distribution("scipy", "1.17.1", {"scipy/a.so": 3 * MB, "scipy/gone.py": 1000})]
NEW = [
    BASE,
    distribution("scipy", "1.18.1", {"scipy/a.so": 5 * MB, "scipy/b.so": MB}),
    tar_of({"app/main.py": b"x" * 60_000}),
]


def inventory(engine: FakeEngine, cache: Path, image: list[bytes], *tags: str) -> Inventory:
    contents = read(engine, engine.add(FakeImage(image), *tags), cache)
    assert contents
    return contents


def test_growth_is_reported_by_owner_layer_and_file(engine: FakeEngine, tmp_path: Path) -> None:
    old, new = (inventory(engine, tmp_path, image) for image in (OLD, NEW))
    assert explain("installed", [old], [new]) == (
        "scipy 1.17.1 → 1.18.1 +3.0 MB, ours +0.1 MB; layer 2 of 3 +3.0 MB; "
        f"{SITE}scipy/a.so +2.0 MB, {SITE}scipy/b.so +1.0 MB (+3 more)"
    )


def test_a_download_grows_by_layers(engine: FakeEngine, tmp_path: Path) -> None:
    old, new = (inventory(engine, tmp_path, image) for image in (OLD, NEW))
    assert explain("download", [old], [new]) == (
        f"layer 2 of 3 +{new.layers[1].download - old.layers[1].download} bytes; "
        "unpacked: scipy 1.17.1 → 1.18.1 +3.0 MB, ours +0.1 MB; "
        f"{SITE}scipy/a.so +2.0 MB, {SITE}scipy/b.so +1.0 MB (+3 more)"
    )


def test_packages_that_shrank_are_not_a_reason(engine: FakeEngine, tmp_path: Path) -> None:
    old, new = (inventory(engine, tmp_path, image) for image in (NEW, OLD))
    assert explain("installed", [old], [new]) == (
        f"{SITE}scipy/gone.py +1000 bytes, {SITE}scipy-1.17.1.dist-info/RECORD +29 bytes (+1 more)"
    )
    assert explain("installed", [new], [new]) == ""


def test_changes_are_reported_largest_first(engine: FakeEngine, tmp_path: Path) -> None:
    old, new = (growth.layers_of([inventory(engine, tmp_path, image)]) for image in (OLD, NEW))
    record = "scipy-1.1%s.dist-info/%s"
    files = growth.by_file(old, new)
    assert [(file.name, file.before, file.after, file.verb) for file in files[:4]] == [
        (SITE + "scipy/a.so", 3 * MB, 5 * MB, "grew"),
        (SITE + "scipy/b.so", None, MB, "came"),
        ("app/main.py", None, 60_000, "came"),
        (SITE + "scipy/gone.py", 1000, None, "went"),
    ]
    assert {file.name for file in files[4:]} == {
        SITE + record % (version, name)
        for version in ("7.1", "8.1")
        for name in ("METADATA", "RECORD")
    }
    owners = growth.by_owner(old, new)
    assert [str(owner) for owner in owners] == ["scipy 1.17.1 → 1.18.1 +3.0 MB", "ours +0.1 MB"]
    assert [owner.verb for owner in owners] == ["grew", "came"]


def test_files_that_changed_at_equal_size_are_reported(engine: FakeEngine, tmp_path: Path) -> None:
    old, new = (
        growth.layers_of([inventory(engine, tmp_path, [tar_of(files)])])
        for files in (
            {"app/a": b"1", "app/b": b"12", "app/same": b"1", "app/grown": b"1", "app/gone": b"1"},
            {"app/a": b"2", "app/b": b"34", "app/same": b"1", "app/grown": b"12", "app/new": b"1"},
        )
    )
    assert growth.at_equal_size(old, new) == [Change("app/b", 2, 2), Change("app/a", 1, 1)]
    assert [change.name for change in growth.by_file(old, new)] == [
        "app/gone",
        "app/grown",
        "app/new",
    ]


def test_a_module_of_a_go_program_is_reported_with_its_versions(
    engine: FakeEngine, tmp_path: Path
) -> None:
    def program(version: str) -> bytes:
        return elf(kind=2, buildinfo=buildinfo(f"dep\texample.com/m\t{version}"))

    old, new = (
        growth.layers_of([inventory(engine, tmp_path, [tar_of({"bin/x": program(version)})])])
        for version in ("v1.0.0", "v1.0.1")
    )
    (change,) = growth.by_owner(old, new)
    assert (str(change), change.verb) == ("example.com/m v1.0.0 → v1.0.1 +0 bytes", "changed")


def test_a_version_alone_is_a_change(engine: FakeEngine, tmp_path: Path) -> None:
    old, new = (
        growth.layers_of([inventory(engine, tmp_path, [distribution("a", version, {})])])
        for version in ("1.0", "2.0")
    )
    (change,) = growth.by_owner(old, new)
    assert (str(change), change.verb) == ("a 1.0 → 2.0 +0 bytes", "changed")


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (3_200_000, "+3.2 MB"),
        (-3_200_000, "-3.2 MB"),
        (50_000, "+0.1 MB"),
        (49_999, "+49999 bytes"),
        (-1, "-1 bytes"),
        (0, "+0 bytes"),
    ],
)
def test_a_difference_has_its_sign(size: int, shown: str) -> None:
    assert format_change(size) == shown


# ---- against what was promoted ---------------------------------------------

API = Image("sutra-api", Budget(4 * MB, 4 * MB))
BUILDER = Image("sutra-base-python", Budget(MB // 2, 4 * MB), "builders start from it")
PROMISES = Catalog(Path("images.yaml"), (BUILDER, API), Budget(5 * MB, 9 * MB))


def failures(engine: FakeEngine, cache: Path) -> list[str]:
    measured = measure.measure_all(engine, PROMISES, cache)
    why = growth.since_promoted(engine, PROMISES, measured, cache)
    return [result.detail for result in budgets.verify(PROMISES, measured, why) if not result.ok]


GREW = (
    "scipy 1.17.1 → 1.18.1 +3.0 MB, ours +0.1 MB; layer 2 of 3 +3.0 MB; "
    f"{SITE}scipy/a.so +2.0 MB, {SITE}scipy/b.so +1.0 MB (+3 more)"
)


CAUSE = "by cause: a dependency's, its lock has changed: +3.0 MB; ours: +0.1 MB"


def test_a_failure_says_what_grew_since_the_promotion(engine: FakeEngine, tmp_path: Path) -> None:
    inventory(engine, tmp_path, [BASE], "sutra-base-python:prod", "sutra-base-python:latest")
    inventory(engine, tmp_path, OLD, "sutra-api:latest")
    inventory(engine, tmp_path, NEW, "sutra-api:prod")
    assert failures(engine, tmp_path) == [
        'images.yaml: images.sutra-base-python.budget.installed: over budget "1.0 MB", '
        "0.5 MB allowed (+0.5 MB): no promoted image to compare with",
        'images.yaml: images.sutra-api.budget.installed: over budget "7.1 MB", '
        f"4.0 MB allowed (+3.1 MB): since sutra-api:latest: {GREW}; {CAUSE}",
        'images.yaml: release.budget.installed: over budget "7.1 MB", 5.0 MB allowed (+2.1 MB): '
        f"since the last promotion: {GREW.replace('layer 2 of 3 +3.0 MB; ', '')}",
    ]


def promoted(images: dict[str, str]) -> None:
    """Write a ledger of one promotion with the engine's id of each image."""
    ledger.LEDGER.parent.mkdir()
    promoted_images = {name: Promoted(identity, "", "", 1, 1) for name, identity in images.items()}
    words = ("2026-01-01T00:00:00Z", "me", "promote", "", "", "", "passed")
    ledger.append(Entry(1, *words, of=1, previous=0, tags={}, images=promoted_images))


def test_a_base_is_held_against_the_one_in_the_ledger(
    engine: FakeEngine, folder: Path, tmp_path: Path
) -> None:
    """Its tag is the toolchain's."""
    inventory(engine, tmp_path, [BASE, BASE, BASE], "sutra-base-python:latest")
    small = inventory(engine, tmp_path, [tar_of({"usr/lib/base": b"x"})])
    inventory(engine, tmp_path, [BASE], "sutra-base-python:prod")
    inventory(engine, tmp_path, [BASE], "sutra-api:prod")
    line = (
        'images.yaml: images.sutra-base-python.budget.installed: over budget "1.0 MB", '
        "0.5 MB allowed (+0.5 MB): "
    )
    promoted({"sutra-base-python": small.id})
    grew = (
        "other +1.0 MB; layer 1 of 1 +1.0 MB; usr/lib/base +1.0 MB; "
        "by cause: of no known owner: +1.0 MB"
    )
    since = "since sutra-base-python of promotion 1: "
    assert failures(engine, tmp_path) == [line + since + grew]
    del engine.by_id[small.id]
    assert failures(engine, tmp_path) == [line + "no promoted image to compare with"]
    ledger.LEDGER.write_text("x\n")
    assert failures(engine, tmp_path) == [
        f'{line}what grew is unknown (.build/history.jsonl: line 1: not an entry "x")'
    ]
    ledger.LEDGER.unlink()
    ledger.LEDGER.parent.rmdir()
    promoted({"sutra-api": small.id})
    assert failures(engine, tmp_path) == [line + "no promoted image to compare with"]


def test_a_base_that_is_not_shared_any_more_makes_the_release_grow(
    engine: FakeEngine, tmp_path: Path
) -> None:
    rebuilt = tar_of({"usr/lib/base": b"y" * MB})
    inventory(engine, tmp_path, [rebuilt], "sutra-base-python:prod")
    inventory(engine, tmp_path, NEW, "sutra-api:prod", "sutra-api:latest")
    assert failures(engine, tmp_path)[-1] == (
        'images.yaml: release.budget.installed: over budget "8.1 MB", 5.0 MB allowed (+3.1 MB): '
        "since the last promotion: other +1.0 MB; usr/lib/base +1.0 MB"
    )


def test_a_failure_without_growth_says_so(engine: FakeEngine, tmp_path: Path) -> None:
    inventory(engine, tmp_path, [b"\0" * 1024], "sutra-base-python:prod")
    inventory(engine, tmp_path, NEW, "sutra-api:prod", "sutra-api:latest")
    lines = failures(engine, tmp_path)
    assert lines[0].endswith("(+3.1 MB): nothing grew since sutra-api:latest")
    assert lines[1].endswith("(+2.1 MB): nothing grew since the last promotion")


def test_a_failure_without_a_known_reason_is_still_a_failure(
    engine: FakeEngine, tmp_path: Path
) -> None:
    broken = FakeImage(OLD)
    broken.archive = b""
    inventory(engine, tmp_path, [b"\0" * 1024], "sutra-base-python:prod")
    inventory(engine, tmp_path, NEW, "sutra-api:prod")
    engine.add(broken, "sutra-api:latest")
    assert failures(engine, tmp_path)[0].endswith(
        f'(+3.1 MB): what grew is unknown (engine: archive of "{broken.id}" is damaged: empty file)'
    )


def test_without_an_engine_there_is_nothing_to_compare_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise EngineError("no answer")

    monkeypatch.setattr("scripts.engine.client.connect", refuse)
    measured = {"sutra-api": Measured("x", (), "archive:./a")}
    why = growth.since_promoted(None, PROMISES, measured, tmp_path)
    assert why(API, "installed") == "no promoted image to compare with"


# ---- make diff -------------------------------------------------------------


def test_the_difference_as_json(engine: FakeEngine, tmp_path: Path) -> None:
    old, new = (inventory(engine, tmp_path, image) for image in (OLD, NEW))
    document = json.loads(diff.as_json(diff.compare(old, new)))
    assert list(document) == ["installed", "download", "owners", "files", "at_equal_size"]
    assert (
        document["installed"]["bytes"]
        == sum(owner["bytes"] for owner in document["owners"])
        == sum(file["bytes"] for file in document["files"])
    )
    assert document["owners"][0] == {
        "name": "scipy",
        "what": "grew",
        "before": 3 * MB + 1000 + len("Name: scipy\nVersion: 1.17.1\n") + 29,
        "after": 6 * MB + len("Name: scipy\nVersion: 1.18.1\n") + 26,
        "bytes": 3 * MB - 1003,
        "version_before": "1.17.1",
        "version_after": "1.18.1",
    }


def test_main_prints_three_tables(
    engine: FakeEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (folder / "images.yaml").write_text(
        "release: {budget: {installed: 1 MB, download: 1 MB}}\n"
        "images: {sutra-api: {budget: {installed: 1 MB, download: 1 MB}}}\n"
    )
    monkeypatch.setattr("scripts.engine.client.connect", lambda: engine)
    engine.add(FakeImage([tar_of({"a": b"1", "same": b"1"})]), "sutra-api:latest")
    engine.add(FakeImage([tar_of({"b": b"22", "same": b"1"})]), "sutra-api:prod")
    assert front_door(["diff", "sutra-api"]) == 0
    out, err = capfd.readouterr()
    lines = [line for line in out.splitlines() if line.startswith(("sutra", "│"))]
    assert [line.replace(" ", "") for line in lines if "download" not in line] == [
        "sutra-api:latest→sutra-api:prod",
        "│installed│grew│0.0MB│0.0MB│+1bytes│",
        "│other│grew│0.0MB│0.0MB│+1bytes│",
        "│b│came││0.0MB│+2bytes│",
        "│a│went│0.0MB││-1bytes│",
    ]
    assert err == ""


def test_only_the_largest_changes_are_shown(capfd: pytest.CaptureFixture[str]) -> None:
    changes = [Change(f"f{number}", 0, 100 - number) for number in range(22)]
    Console(width=80).print(diff.table("file", changes))
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 3 + 21 + 1
    assert lines[-2].replace(" ", "") == "│2more,inFORMAT=json││││+159bytes│"


def test_a_missing_image(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.engine.client.connect", lambda: engine)
    with pytest.raises(SutraError) as caught:
        diff.read("sutra-api:gone")
    assert caught.value.message == 'diff: no such image "sutra-api:gone"'
    assert caught.value.tip == "`docker images` lists them"


def test_a_release_names_all_versions_that_its_images_have(
    engine: FakeEngine, tmp_path: Path
) -> None:
    other, old, new = (
        inventory(engine, tmp_path, [distribution("idna", version, {"idna/data.py": size})])
        for version, size in (("3.20", MB), ("3.20", 2 * MB), ("3.10", 4 * MB))
    )
    line = explain("installed", [old, other], [new, other])
    assert line.startswith("idna 3.20 → 3.10, 3.20 +2.0 MB; ")
