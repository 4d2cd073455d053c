"""Rules that are proposed for what was not opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from sutra_cleanup import manifest as manifests
from sutra_cleanup.manifest import Manifest

from scripts.floor import proposals, shares
from scripts.floor.proposals import LEAST, Proposal, Proposals
from tests.unit.floor.images import SITE, image

BIG = 20_000


def proposed(
    files: dict[str, int], opened: str, manifest: Manifest | None = None, **distributions: str
) -> Proposals:
    """Return the proposals for files below packages; `opened` are some of them, spaces between."""
    names = {name: " ".join(n for n in files if n.startswith(name)) for name in ("one", "two")}
    records = {name: text for name, text in {**names, **distributions}.items() if text}
    seen = image({f"{SITE}/{name}": size for name, size in files.items()}, **records)
    floor = shares.of(seen, [f"/{SITE}/{name}" for name in opened.split()])
    return proposals.of(seen, floor, manifest or Manifest(Path("cleanup.yaml")))


def globs(proposed_rules: Proposals) -> list[tuple[str, int, int]]:
    return [(rule.glob, rule.files, rule.bytes) for rule in proposed_rules.rules]


def test_a_folder_is_proposed_whole_and_its_parent_only_where_nothing_in_it_was_opened() -> None:
    files = {
        "one/__init__.pyc": 9,
        "one/a/b/c.pyc": BIG,
        "one/a/b/d/e.txt": 5,
        "one/a/f.pyc": 7,
        "one/g/h.pyc": BIG,
        "one/g/used.pyc": 1,
    }
    result = proposed(files, "one/__init__.pyc one/g/used.pyc")
    assert result == Proposals(
        [Proposal("one/a/", "one", 3, BIG + 12), Proposal("one/g/h.py", "one", 1, BIG)], 0, {}
    )


def test_the_boundary_of_what_is_worth_a_proposal() -> None:
    files = {"one/used.py": 1, "one/a.py": LEAST, "one/b.py": LEAST - 1, "one/c.py": 3}
    result = proposed(files, "one/used.py")
    assert (globs(result), result.smaller) == ([("one/a.py", 1, LEAST)], LEAST + 2)


def test_an_extension_module_is_named_without_its_platform() -> None:
    tag = "cpython-313-x86_64-linux-gnu.so"
    files = {"one/used.pyc": 1, f"one/_core.{tag}": BIG, "one/_other.abi3.so": BIG}
    result = proposed(files, "one/used.pyc")
    assert globs(result) == [("one/_core.*.so", 1, BIG), ("one/_other.*.so", 1, BIG)]


def test_a_glob_that_would_take_more_is_tied_to_its_place() -> None:
    files = {
        "one/__init__.py": 1,
        "one/data/x.py": BIG,
        "two/one/data/x.py": 1,
        "two/__init__.py": 1,
    }
    result = proposed(files, "one/__init__.py two/__init__.py two/one/data/x.py")
    assert globs(result) == [("./lib/*/site-packages/one/data/", 1, BIG)]


def test_an_extension_module_beside_one_of_nearly_its_name_has_its_whole_name() -> None:
    tag = "cpython-313-x86_64-linux-gnu.so"
    files = {"one/used.py": 1, f"one/_core.{tag}": BIG, "one/_core.more.so": 1}
    result = proposed(files, "one/used.py one/_core.more.so")
    assert globs(result) == [(f"one/_core.{tag}", 1, BIG)]


def test_a_name_with_a_wildcard_is_taken_as_it_is() -> None:
    files = {"one/used.py": 1, "one/[x]*.dat": BIG, "one/x.dat": BIG}
    result = proposed(files, "one/used.py one/x.dat")
    assert globs(result) == [("one/[[]x][*].dat", 1, BIG)]


def test_a_distribution_of_which_no_module_was_opened_is_not_emptied_by_a_rule() -> None:
    files = {"one/a.py": BIG, "one/b/c.so": BIG, "two/used.py": 1, "two/d.py": BIG}
    result = proposed(files, "two/used.py")
    assert (globs(result), result.unused) == ([("two/d.py", 1, BIG)], {"one": 2 * BIG})


def test_what_a_rule_keeps_is_not_proposed(tmp_path: Path) -> None:
    file = tmp_path / "cleanup.yaml"
    file.write_text('rules: {kept: {why: x, keep: ["one/a/kept.py", "LICENSE*"]}}\n')
    files = {"one/used.py": 1, "one/a/kept.pyc": BIG, "one/a/b.pyc": BIG, "one/LICENSE": BIG}
    result = proposed(files, "one/used.py", manifests.load(file))
    assert (globs(result), result.smaller) == ([("one/a/b.py", 1, BIG)], 0)


def test_metadata_and_what_is_outside_of_the_tree_is_not_proposed() -> None:
    record = f"{SITE}/one-1.0.dist-info/SBOM"
    seen = image({record: BIG, "app/big.py": BIG, "usr/lib/python3.13/site-packages/x.py": BIG})
    result = proposals.of(seen, shares.of(seen, []), Manifest(Path("cleanup.yaml")))
    assert result == Proposals([], 0, {})


def test_proposals_are_rules_that_the_cleanup_reads(tmp_path: Path) -> None:
    rules = [
        Proposal('one/"a\\b"/', "One: {odd}", 1, 1_234_567),
        Proposal("two/b.py", "two", 2, BIG),
        Proposal("one/c.*.so", "One: {odd}", 1, BIG),
    ]
    notes = {"two/b.py": "not tried", "one/c.*.so": "proven", 'one/"a\\b"/': "not tried"}
    lines = proposals.as_yaml(rules, 'TODO: why "x"', notes)
    assert lines == [
        "rules:",
        "  unopened-one-odd-:",
        '    why: "TODO: why \\"x\\""',
        "    remove:",
        '      - "one/\\"a\\\\b\\"/"  # 1,234,567 bytes, 1 file, not tried',
        '      - "one/c.*.so"  # 20,000 bytes, 1 file, proven',
        "  unopened-two:",
        '    why: "TODO: why \\"x\\""',
        "    remove:",
        '      - "two/b.py"  # 20,000 bytes, 2 files, not tried',
    ]
    file = tmp_path / "cleanup.yaml"
    file.write_text("\n".join(lines))
    read = manifests.load(file).rules
    assert [rule.name for rule in read] == ["unopened-one-odd-", "unopened-two"]
    assert [glob.text for rule in read for glob in rule.remove] == [
        'one/"a\\b"/',
        "one/c.*.so",
        "two/b.py",
    ]
    assert read[0].why == 'TODO: why "x"'


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_propose_is_no_rule(count: int) -> None:
    assert bool(proposals.as_yaml([Proposal("a", "b", 1, 1)] * count, "w", {"a": "n"})) == bool(
        count
    )
