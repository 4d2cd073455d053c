"""Test which change is told under which cause, growth and loss alike."""

from __future__ import annotations

from pathlib import Path

from scripts.checks.sizes import by_cause, causes
from scripts.checks.sizes.by_cause import Reason
from scripts.checks.sizes.growth import Change
from scripts.image.inventory import Inventory, read
from tests.unit.checks.sizes.test_causes import MORE, NUMPY, OURS, package
from tests.unit.checks.sizes.test_growth import MB, distribution
from tests.unit.fakes import FakeEngine, FakeImage, tar_of


def image(engine: FakeEngine, cache: Path, version: str, *layers: bytes) -> Inventory:
    labels = {"org.opencontainers.image.version": version}
    contents = read(engine, engine.add(FakeImage(layers, labels=labels)), cache)
    assert contents
    return contents


def told(reasons: list[Reason]) -> dict[str, list[str]]:
    return {
        reason.cause: [f"{change} {change.verb}" for change in reason.changes] for reason in reasons
    }


def test_what_came_went_grew_and_shrank_is_reported(engine: FakeEngine, tmp_path: Path) -> None:
    gone = distribution("gone", "1.0", {"gone/a.so": MB})
    before = image(engine, tmp_path, "1", package("1.0", 3 * MB), NUMPY, gone, MORE)
    newer = distribution("numpy", "2.1", {"numpy/a.so": 4 * MB})
    blob = tar_of({"opt/blob": b"x" * 5 * MB})
    after = image(engine, tmp_path, "2", package("1.1", MB), newer, OURS, blob)
    assert told(by_cause.of(before, after)) == {
        causes.UNKNOWN: ["other +5.0 MB came"],
        causes.LOCK: ["numpy 2.0 → 2.1 +3.0 MB grew", "gone 1.0 -1.0 MB went"],
        causes.PACKAGE: ["zlib 1.0 → 1.1 -2.0 MB shrank"],
        causes.OURS: ["ours -0.2 MB shrank"],
    }


def test_what_the_base_changed_has_a_cause_of_its_own(engine: FakeEngine, tmp_path: Path) -> None:
    before = image(engine, tmp_path, "1", package("1.0", MB), OURS)
    after = image(engine, tmp_path, "2", package("1.1", 3 * MB), MORE)
    bases = causes.base_layers(before, after, {after.layers[0].diff_id})
    assert told(by_cause.of(before, after, bases)) == {
        causes.BASE: ["zlib 1.0 → 1.1 +2.0 MB grew"],
        causes.OURS: ["ours +0.2 MB grew"],
    }


def test_the_version_of_an_image_alone_is_no_change(engine: FakeEngine, tmp_path: Path) -> None:
    layers = [package("1.0", MB), OURS]
    before, after = (image(engine, tmp_path, version, *layers) for version in ("1", "2"))
    assert by_cause.of(before, after) == []
    assert by_cause.of(before, after, ([before.layers[1].diff_id],) * 2) == []


def test_a_version_alone_of_a_package_is_a_change(engine: FakeEngine, tmp_path: Path) -> None:
    before, after = (
        image(engine, tmp_path, "1", package(version, MB)) for version in ("1.0", "1.1")
    )
    size = before.layers[0].installed
    change = Change("zlib", size, size, ("1.0", "1.1"))
    assert by_cause.of(before, after) == [Reason(causes.PACKAGE, (change,))]
    assert change.verb == "changed"


def test_a_cause_that_takes_what_it_adds_is_reported(engine: FakeEngine, tmp_path: Path) -> None:
    small, other = (
        distribution(name, "1.0", {f"{name}/a.so": MB, f"{name}/b.so": 1}) for name in ("aa", "bb")
    )
    before, after = (image(engine, tmp_path, "1", layer) for layer in (small, other))
    (reason,) = by_cause.of(before, after)
    assert (reason.bytes, [change.verb for change in reason.changes]) == (0, ["went", "came"])
