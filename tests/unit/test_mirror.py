"""Every module has its own test file, or a reason in tested_elsewhere.yaml."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pytest
import yaml

from tests.conftest import ROOT

LIST = Path(__file__).with_name("tested_elsewhere.yaml")
GROUPS = yaml.safe_load(LIST.read_text())
SOURCES = ("scripts", "base-images/lib/sutra_cleanup", "packages/*/src")


def own_test(module: str) -> str:
    """Return the path of the test file that a module would have."""
    path = PurePosixPath(module)
    name = f"test_{path.stem.strip('_')}.py"
    if path.parts[0] == "scripts":
        return str(PurePosixPath("tests/unit", *path.parts[1:-1], name))
    if path.parts[0] == "base-images":
        return f"tests/unit/cleanup/{name}"
    package, inside = path.parts[1], path.parts[4:-1]
    return str(PurePosixPath("packages", package, "tests", *inside, name))


def modules(root: Path) -> list[str]:
    """Return every module that holds code, as a path below `root`."""
    return sorted(
        str(file.relative_to(root))
        for source in SOURCES
        for folder in root.glob(source)
        for file in folder.rglob("*.py")
        if file.name != "__init__.py"
    )


def problems(root: Path, groups: Iterable[dict[str, object]]) -> list[str]:
    """Return what is wrong: a module without a test or a reason, a reason without a need."""
    lines = []
    listed: dict[str, str] = {}
    for group in groups:
        test = str(group["tested_by"])
        if not (root / test).is_file():
            lines.append(f"{test}: not there")
        if not group.get("because"):
            lines.append(f"{test}: no reason")
        names = group["modules"]
        assert isinstance(names, list)
        for name in names:
            lines += [f"{name}: listed twice"] if name in listed else []
            listed[name] = test
    alone = {name for name in modules(root) if not (root / own_test(name)).is_file()}
    lines += [f"{name}: no {own_test(name)}" for name in sorted(alone - set(listed))]
    return lines + [f"{name}: listed for nothing" for name in sorted(set(listed) - alone)]


def test_every_module_has_a_test_of_its_own_or_a_reason() -> None:
    assert problems(ROOT, GROUPS) == []


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("scripts/oci/registry.py", "tests/unit/oci/test_registry.py"),
        ("scripts/__main__.py", "tests/unit/test_main.py"),
        ("base-images/lib/sutra_cleanup/elf.py", "tests/unit/cleanup/test_elf.py"),
        ("packages/a/src/a/web/b.py", "packages/a/tests/web/test_b.py"),
        ("packages/a/src/a/b.py", "packages/a/tests/test_b.py"),
    ],
)
def test_where_a_module_has_its_test(module: str, test: str) -> None:
    assert own_test(module) == test


def test_what_the_check_must_find(tmp_path: Path) -> None:
    for name in ("scripts/a.py", "scripts/b.py", "scripts/c.py", "tests/unit/test_b.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "scripts/__init__.py").touch()
    groups: list[dict[str, object]] = [
        {"tested_by": "tests/unit/test_b.py", "because": "", "modules": ["scripts/b.py"]},
        {"tested_by": "tests/unit/no.py", "because": "x", "modules": ["scripts/c.py"] * 2},
    ]
    assert problems(tmp_path, groups) == [
        "tests/unit/test_b.py: no reason",
        "tests/unit/no.py: not there",
        "scripts/c.py: listed twice",
        "scripts/a.py: no tests/unit/test_a.py",
        "scripts/b.py: listed for nothing",
    ]
