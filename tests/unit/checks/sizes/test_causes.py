"""Test which change an image's growth is blamed on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.checks.sizes import causes
from scripts.common.labels import REVISION
from scripts.image.inventory import Inventory, read
from tests.unit.checks.sizes.test_growth import MB, SITE, distribution
from tests.unit.fakes import FakeEngine, FakeImage, tar_of


def package(version: str, size: int) -> bytes:
    """Return a base's layer with one package of Debian."""
    return tar_of(
        {
            "usr/lib/libz.so": b"x" * size,
            "var/lib/dpkg/status.d/zlib": f"Package: zlib\nVersion: {version}\n".encode(),
            "var/lib/dpkg/status.d/zlib.md5sums": b"0  usr/lib/libz.so\n",
        }
    )


def image(engine: FakeEngine, cache: Path, layers: list[bytes], revision: str = "") -> Inventory:
    labels = {REVISION: revision} if revision else None
    contents = read(engine, engine.add(FakeImage(layers, labels=labels)), cache)
    assert contents
    return contents


OURS = tar_of({"app/main.py": b"x" * 100_000})
MORE = tar_of({"app/main.py": b"x" * 300_000})
NUMPY = distribution("numpy", "2.0", {"numpy/a.so": MB})


def test_each_cause_has_its_bytes_the_most_first(engine: FakeEngine, tmp_path: Path) -> None:
    before = image(engine, tmp_path, [package("1.0", MB), NUMPY, OURS], "1111111aaaa")
    newer = distribution("numpy", "2.1", {"numpy/a.so": 4 * MB})
    after = image(engine, tmp_path, [package("1.1", 3 * MB), newer, MORE], "2222222bbbb")
    changes = causes.of(before, after)
    assert [cause for cause, _ in changes] == [causes.LOCK, causes.PACKAGE, causes.OURS]
    assert causes.line(changes, before, after) == (
        "a dependency's, its lock has changed: +3.0 MB; "
        "the distribution's, a package has changed: +2.0 MB; ours: +0.2 MB; "
        "commits 1111111..2222222"
    )


def test_what_a_base_brought_is_the_bases(engine: FakeEngine, tmp_path: Path) -> None:
    before = image(engine, tmp_path, [package("1.0", MB), NUMPY])
    after = image(engine, tmp_path, [package("1.1", 3 * MB), NUMPY])
    bases = causes.base_layers(before, after, {after.layers[0].diff_id})
    assert bases == ([before.layers[0].diff_id], [after.layers[0].diff_id])
    changes = causes.of(before, after, bases)
    assert [cause for cause, _ in changes] == [causes.BASE]
    assert causes.line(changes, before, after) == "the base's, its digest has changed: +2.0 MB"


def test_versions_that_stayed_were_built_or_cleaned_otherwise(
    engine: FakeEngine, tmp_path: Path
) -> None:
    before = image(engine, tmp_path, [NUMPY])
    after = image(engine, tmp_path, [distribution("numpy", "2.0", {"numpy/a.so": 2 * MB})])
    assert causes.of(before, after) == [(causes.SAME, MB)]


def test_what_came_and_what_nobody_owns(engine: FakeEngine, tmp_path: Path) -> None:
    before = image(engine, tmp_path, [OURS])
    after = image(engine, tmp_path, [OURS, NUMPY, tar_of({"opt/blob": b"x" * 5 * MB})])
    info = sum(e.size for e in after.layers[1].entries if e.path.startswith(f"{SITE}numpy-"))
    assert causes.of(before, after) == [(causes.UNKNOWN, 5 * MB), (causes.LOCK, MB + info)]


def test_packages_that_shrank_or_stayed_are_not_a_cause(engine: FakeEngine, tmp_path: Path) -> None:
    before, after = (image(engine, tmp_path, layers) for layers in ([MORE, NUMPY], [OURS, NUMPY]))
    assert causes.of(before, after) == []
    assert causes.line([], before, after) == ""


@pytest.mark.parametrize(
    "config", [["x"], "x", None, {"Labels": ["x"]}, {"Labels": "x"}, {"Labels": None}]
)
def test_a_config_of_another_form_names_no_commit(
    engine: FakeEngine, tmp_path: Path, config: object
) -> None:
    before, after = (image(engine, tmp_path, [layer], "1111111aaaa") for layer in (OURS, MORE))
    odd = replace(after, config={"config": config})
    assert causes.line(causes.of(before, odd), before, odd) == "ours: +0.2 MB"


@pytest.mark.parametrize(
    ("kind", "stayed", "cause"),
    [
        ("go", True, causes.OURS),
        ("rust", True, causes.OURS),
        ("node", False, causes.LOCK),
        ("node", True, causes.SAME),
        ("python", False, causes.LOCK),
        ("debian", False, causes.PACKAGE),
        ("other", True, causes.UNKNOWN),
    ],
)
def test_every_kind_of_owner_has_a_cause(kind: str, stayed: bool, cause: str) -> None:
    assert causes.by_kind(kind, stayed) == cause
