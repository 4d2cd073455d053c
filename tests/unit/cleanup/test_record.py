from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import subprocess
from pathlib import Path

from sutra_cleanup import manifest, tree
from sutra_cleanup.__main__ import clean

from tests.unit.cleanup.trees import SITE, distribution, make, venv

SOURCELESS = "bytecode: {default: sourceless}\n"


def cleaned(root: Path, text: str) -> dict[str, object]:
    (root.parent / "cleanup.yaml").write_text(text)
    plan = tree.plan(root, manifest.load(root.parent / "cleanup.yaml"))
    return clean(plan, [f"{root}/bin/python"], str(root))


def record(root: Path, name: str = "one") -> list[list[str]]:
    text = (root / SITE / f"{name}-1.0.dist-info/RECORD").read_text()
    return list(csv.reader(io.StringIO(text)))


def hashed(root: Path, path: str) -> list[str]:
    """Return the row that is right for a file."""
    content = (root / SITE / path).read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    return [path, f"sha256={digest}", str(len(content))]


def modules_of(root: Path) -> dict[str, list[str]]:
    ask = "import importlib.metadata as m, json; print(json.dumps(m.packages_distributions()))"
    done = subprocess.run(
        [f"{root}/bin/python", "-c", ask], capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout))


def test_a_source_that_became_bytecode_is_recorded_as_it_is_now(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    venv(root, distribution("one", {"one/__init__.py": "", "one/a.txt": "x", "one/b.md": ""}))
    place = root / SITE / "one-1.0.dist-info/RECORD"
    size = place.stat().st_size
    report = cleaned(root, SOURCELESS + "rules: {docs: {why: a, remove: ['*.md']}}")
    assert record(root)[:2] == [hashed(root, "one/__init__.pyc"), ["one/a.txt", "", ""]]
    assert "one/b.md" not in {row[0] for row in record(root)}
    assert report["recorded"] == {"files": 1, "saved": size - place.stat().st_size}


def test_every_module_is_known_of_its_distribution_in_every_mode(tmp_path: Path) -> None:
    """packages_distributions() of Python 3.12 goes by the files that are there."""
    for mode in ("source", "cached", "sourceless"):
        root = tmp_path / mode / "tree"
        modules = {
            **distribution("one", {"one/__init__.py": ""}),
            **distribution("two", {"two.py": ""}),
        }
        venv(root, modules)
        cleaned(root, f"bytecode: {{default: {mode}}}")
        names = modules_of(root)
        assert (names["one"], names["two"]) == (["one"], ["two"])


def test_names_with_commas_and_quotes_stay_csv(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    venv(
        root,
        {**distribution("one", {"one/__init__.py": ""}), 'one/a, "b".py': "", "one/c,d.txt": ""},
    )
    place = root / SITE / "one-1.0.dist-info/RECORD"
    place.write_text(place.read_text() + '"one/a, ""b"".py",,\n"one/c,d.txt",,\n')
    cleaned(root, SOURCELESS)
    assert record(root)[-2:] == [hashed(root, 'one/a, "b".pyc'), ["one/c,d.txt", "", ""]]


def test_cached_bytecode_is_recorded_beside_its_source(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    venv(root, distribution("one", {"one/__init__.py": ""}))
    cleaned(root, "bytecode: {default: cached}")
    rows = record(root)
    assert rows[0] == ["one/__init__.py", "", ""]
    assert rows[1][0].startswith("one/__pycache__/__init__.cpython-")
    assert (root / SITE / rows[1][0]).exists()


def test_a_licence_that_a_rule_took_stays_recorded(tmp_path: Path) -> None:
    """Otherwise no verifier would notice that it is missing."""
    root = tmp_path / "tree"
    licence = "one-1.0.dist-info/licenses/LICENSE"
    venv(root, distribution("one", {"one/__init__.py": "", licence: "do"}))
    cleaned(root, "rules: {all: {why: a, remove: [LICENSE]}}")
    assert [licence, "", ""] in record(root)


def test_a_distribution_without_a_record_is_left_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    files = distribution("one", {"one/__init__.py": ""})
    del files["one-1.0.dist-info/RECORD"]
    venv(root, files)
    assert cleaned(root, SOURCELESS)["recorded"] == {"files": 0, "saved": 0}


def test_a_record_that_is_not_csv_is_left_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    venv(root, distribution("one", {"one/__init__.py": ""}))
    place = root / SITE / "one-1.0.dist-info/RECORD"
    text = place.read_text() + "x" * 200_000 + "\n"  # longer than the reader takes
    place.write_text(text)
    (root.parent / "cleanup.yaml").write_text(SOURCELESS)
    plan = tree.plan(root, manifest.load(root.parent / "cleanup.yaml"))
    assert plan.owners == {"one-1.0.dist-info": "one"}


def test_the_list_of_an_egg_is_kept_true_too(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    info = "one-1.0.egg-info"
    listed = "../one/__init__.py\n../one/gone.md\nPKG-INFO\n"
    about = "Metadata-Version: 1.0\nName: one\nVersion: 1.0\n"
    metadata = {f"{info}/PKG-INFO": about, f"{info}/installed-files.txt": listed}
    venv(root, {"one/__init__.py": "", "one/gone.md": "", **metadata})
    cleaned(root, SOURCELESS + "rules: {docs: {why: a, remove: ['*.md']}}")
    place = root / SITE / info / "installed-files.txt"
    assert place.read_text() == "../one/__init__.pyc\nPKG-INFO\n"


def test_an_editable_install_is_known_and_loads(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    source = make(tmp_path / "source", {"mine/__init__.py": "def main(): return 1\n"})
    files = distribution("mine", {"__editable__.mine.pth": f"{source}\n"})
    files["mine-1.0.dist-info/entry_points.txt"] = "[console_scripts]\nmine = mine:main\n"
    venv(root, files)
    report = cleaned(root, SOURCELESS)
    assert report["entry_points"] == 1
    assert (source / "mine/__init__.py").exists()
