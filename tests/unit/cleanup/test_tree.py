from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from sutra_cleanup import manifest
from sutra_cleanup.errors import CleanupError
from sutra_cleanup.tree import Entry, Plan, plan, show, unmatched

from tests.unit.cleanup.trees import Link, distribution, make

SITE = "lib/python3.11/site-packages"
RULES = """
rules:
  tests: {why: a, remove: [tests/, test_*.py]}
  wanted: {why: b, keep: [tests/needed.py, "test_k*"]}
  docs: {why: c, remove: [docs/, "*.md"]}
"""


def planned(tree: Path, text: str = RULES) -> Plan:
    file = tree.parent / "cleanup.yaml"
    file.write_text(text)
    return plan(tree, manifest.load(file))


def refused(tree: Path, text: str = RULES) -> tuple[str, str, int]:
    with pytest.raises(CleanupError) as caught:
        planned(tree, text)
    return caught.value.message, caught.value.tip, caught.value.exit_code


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make(tmp_path / "tree", {})


def test_every_file_with_the_rules_that_name_it(tree: Path) -> None:
    make(
        tree,
        {
            "a/x.py": "12345",
            "a/tests/x.py": "1",
            "a/tests/needed.py": "12",
            "a/tests/docs/x.md": "",
            "test_keep.md": "1",
            "z.md": "123",
        },
    )
    tree_plan = planned(tree)
    assert tree_plan.entries == (
        Entry("a/tests/docs/x.md", 0, False, 0, None),
        Entry("a/tests/needed.py", 2, False, 0, 1),
        Entry("a/tests/x.py", 1, False, 0, None),
        Entry("a/x.py", 5, False, None, None),
        Entry("test_keep.md", 1, False, 2, 1),
        Entry("z.md", 3, False, 2, None),
    )
    leaving = [entry.path for entry in tree_plan.leaving]
    assert leaving == ["a/tests/docs/x.md", "a/tests/x.py", "z.md"]
    staying = [entry.path for entry in tree_plan.staying]
    assert staying == ["a/tests/needed.py", "a/x.py", "test_keep.md"]
    assert tree_plan.rule(2).name == "docs"


@pytest.mark.parametrize("order", ["remove: [a/], keep: [a/x]", "keep: [a/x], remove: [a/]"])
def test_keep_wins_within_a_rule(tree: Path, order: str) -> None:
    make(tree, {"a/x": "", "a/y": ""})
    tree_plan = planned(tree, f"rules: {{r: {{why: b, {order}}}}}")
    assert [entry.path for entry in tree_plan.staying] == ["a/x"]


def test_a_kept_folder_wins_over_a_removed_file(tree: Path) -> None:
    make(tree, {"a/b/x.md": "", "a/x.md": ""})
    tree_plan = planned(tree, "rules: {r: {why: b, remove: [x.md]}, k: {why: b, keep: [a/b/]}}")
    assert [entry.path for entry in tree_plan.staying] == ["a/b/x.md"]


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_a_tree_that_is_not_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    refusal = refused(tmp_path / name)
    assert refusal == (f'tree: no such folder "{tmp_path}/{name}"', "check --tree", 2)


def test_an_empty_tree_has_no_entries(tree: Path) -> None:
    make(tree, {"a/b/": ""})
    assert planned(tree).entries == ()


# ---- links and odd names ---------------------------------------------------


def test_links_are_entries_and_never_followed(tree: Path) -> None:
    make(tree.parent, {"outside/tests/x.py": "1", "outside/docs/y": "2"})
    make(
        tree,
        {
            "a/tests/x.py": "1",
            "dangling": Link("nowhere"),
            "loop": Link("loop"),
            "self": Link("."),
            "up": Link(".."),
            "folder": Link("a"),
            "tests": Link("a/tests"),
            "docs": Link("../outside/docs"),
            "out.md": Link("../outside/tests/x.py"),
            "abs": Link(str(tree.parent / "outside")),
        },
    )
    assert planned(tree).entries == (
        Entry("a/tests/x.py", 1, False, 0, None),
        Entry("abs", 0, True, None, None),
        Entry("dangling", 0, True, None, None),
        Entry("docs", 0, True, None, None),  # a link does not count as a folder
        Entry("folder", 0, True, None, None),
        Entry("loop", 0, True, None, None),
        Entry("out.md", 0, True, 2, None),
        Entry("self", 0, True, None, None),
        Entry("tests", 0, True, None, None),
        Entry("up", 0, True, None, None),
    )


def test_two_links_to_each_others_folders_end(tree: Path) -> None:
    make(tree, {"a/b": Link("../c"), "c/d": Link("../a")})
    assert [entry.path for entry in planned(tree).entries] == ["a/b", "c/d"]


def test_odd_names_are_entries_like_others(tree: Path) -> None:
    names = ["tests/line\nbreak", "raw\udcff/x.md", "\udc80.md\n", " .md", "-rf.md"]
    make(tree, dict.fromkeys(names, "1"))
    leaves = {entry.path: entry.leaves for entry in planned(tree).entries}
    assert leaves == {
        "tests/line\nbreak": True,
        "raw\udcff/x.md": True,
        "\udc80.md\n": False,
        " .md": True,
        "-rf.md": True,
    }


def test_pipes_and_sockets_are_entries_and_never_opened(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)  # a socket's path is at most 108 bytes
    os.mkfifo("pipe.md")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    assert [entry.path for entry in planned(tree).entries] == ["pipe.md", "socket"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a/x.py", "a/x.py"),
        ("ü/日", "ü/日"),
        ("line\nbreak", "line\\nbreak"),
        ("tab\there", "tab\\there"),
        ("\x1b[31m", "\\x1b[31m"),
        ("raw\udcff", "raw\\xff"),
        ("\u2028\u200b", "\\u2028\\u200b"),
        ("a b", "a b"),
    ],
)
def test_a_path_is_shown_as_printable_text(path: str, shown: str) -> None:
    assert show(path) == shown
    assert show(path).encode().decode().isprintable()


# ---- owners ----------------------------------------------------------------


def owned(tree: Path, **files: str) -> Plan:
    make(tree / SITE, distribution("My_Dist", {"pkg/__init__.py": "", "single.py": ""}))
    make(tree / SITE, distribution("other", {"other/a.py": "", "../../../bin/tool": ""}))
    make(tree / SITE, {"stray/x.py": "", "data.txt": ""})
    return planned(tree)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        (f"{SITE}/pkg/__init__.py", "my-dist"),
        (f"{SITE}/pkg/deep/below/x", "my-dist"),
        (f"{SITE}/single.py", "my-dist"),
        (f"{SITE}/My_Dist-1.0.dist-info/METADATA", "my-dist"),
        (f"{SITE}/other/a.py", "other"),
        (f"{SITE}/stray/x.py", "stray"),
        (f"{SITE}/data.txt", "data.txt"),
        ("lib/python3/dist-packages/pkg/x", "my-dist"),
        ("site-packages/pkg/x", "my-dist"),
        ("pkg/x", "pkg"),
        ("bin/tool", "bin"),
        ("pyvenv.cfg", "pyvenv.cfg"),
    ],
)
def test_a_file_belongs_to_the_distribution_whose_record_has_it(
    tree: Path, path: str, owner: str
) -> None:
    assert owned(tree).owner(path) == owner


def test_a_record_that_is_a_link_or_no_text_owns_nothing_wrongly(tree: Path) -> None:
    make(tree.parent, {"RECORD": "pkg/__init__.py,,\n"})
    make(
        tree / SITE,
        {
            "a-1.dist-info/RECORD": Link("../../../../../RECORD"),
            "pkg/__init__.py": "",
            "b-1.dist-info/RECORD": b"\xff/x.py,,\n\n,,\nq/y.py,,\n",
            "q/y.py": "",
        },
    )
    tree_plan = planned(tree)
    assert (tree_plan.owner(f"{SITE}/pkg/x"), tree_plan.owner(f"{SITE}/q/x")) == ("pkg", "b")


# ---- emptied packages ------------------------------------------------------


def test_rules_that_would_empty_a_package_are_refused(tree: Path) -> None:
    make(tree / SITE, distribution("one-two", {"tests/a.py": "", "tests/b.py": "", "x.md": ""}))
    assert refused(tree) == (
        'cleanup.yaml: rules.tests.remove: would empty the package "one-two"',
        "remove it from the lock instead, or keep what is imported of it",
        2,
    )


def test_the_rule_that_removes_most_of_an_emptied_package_is_named(tree: Path) -> None:
    make(
        tree / SITE,
        distribution("one", {"one/tests/a.py": "", "one/docs/b.py": "", "one/docs/c.so": ""}),
    )
    assert refused(tree)[0] == 'cleanup.yaml: rules.docs.remove: would empty the package "one"'


def test_the_file_of_an_emptying_rule_is_named(tree: Path) -> None:
    make(tree / SITE, distribution("one", {"one/docs/b.py": ""}))
    (tree.parent / "shared.yaml").write_text(RULES)
    message = refused(tree, "extends: [shared.yaml]")[0]
    assert message == 'shared.yaml: rules.docs.remove: would empty the package "one"'


def test_one_module_that_stays_is_enough(tree: Path) -> None:
    make(tree / SITE, distribution("one", {"one/tests/a.py": "", "one/tests/needed.py": ""}))
    assert [entry.path for entry in planned(tree).leaving] == [f"{SITE}/one/tests/a.py"]


def test_a_distribution_without_modules_cannot_be_emptied(tree: Path) -> None:
    make(tree / SITE, distribution("texts", {"texts/docs/a.txt": ""}))
    assert [entry.path for entry in planned(tree).leaving] == [f"{SITE}/texts/docs/a.txt"]


def test_files_of_no_distribution_may_all_leave(tree: Path) -> None:
    make(tree / SITE, {"stray/docs/a.py": ""})
    assert [entry.path for entry in planned(tree).leaving] == [f"{SITE}/stray/docs/a.py"]


# ---- globs that match nothing ----------------------------------------------


def test_a_glob_that_matches_nothing_is_shown_with_the_nearest_name(tree: Path) -> None:
    make(tree, {"a/samples/x": "", "a/documents/y.rst": ""})
    text = """
rules:
  one: {why: a, remove: [sample/, "x", "zzzzz/"]}
  two: {why: b, remove: ["a/*.rst", "./b/document/"], keep: [a/documents/z.rst]}
"""
    assert unmatched(planned(tree, text)) == [
        'cleanup.yaml: rules.one: matches nothing "sample/", nearest is "samples"',
        'cleanup.yaml: rules.one: matches nothing "zzzzz/"',
        'cleanup.yaml: rules.two: matches nothing "a/*.rst"',
        'cleanup.yaml: rules.two: matches nothing "./b/document/", nearest is "a/documents"',
        'cleanup.yaml: rules.two: matches nothing "a/documents/z.rst", '
        'nearest is "a/documents/y.rst"',
    ]


def test_shared_globs_that_match_nothing_are_not_shown(tree: Path) -> None:
    make(tree, {"x": ""})
    (tree.parent / "shared.yaml").write_text(RULES)
    text = "extends: [shared.yaml]\nrules: {mine: {why: a, remove: [none]}}"
    assert unmatched(planned(tree, text)) == ['cleanup.yaml: rules.mine: matches nothing "none"']


def test_the_nearest_name_is_shown_as_text(tree: Path) -> None:
    make(tree, {"sample\udcff": ""})
    lines = unmatched(planned(tree, "rules: {r: {why: a, remove: [sample]}}"))
    assert lines == ['cleanup.yaml: rules.r: matches nothing "sample", nearest is "sample\\xff"']


def test_a_glob_in_an_empty_tree_has_no_nearest_name(tree: Path) -> None:
    lines = unmatched(planned(tree, "rules: {r: {why: a, remove: [sample/*/x]}}"))
    assert lines == ['cleanup.yaml: rules.r: matches nothing "sample/*/x"']
