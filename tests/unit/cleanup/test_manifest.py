from __future__ import annotations

from pathlib import Path

import pytest
from sutra_cleanup import manifest
from sutra_cleanup.errors import CleanupError
from sutra_cleanup.globs import Glob
from sutra_cleanup.manifest import Manifest, Rule

ROOT = Path(__file__).resolve().parents[3]
SHARED = sorted((ROOT / "base-images/cleanup").glob("*.yaml"))
OWN = sorted((ROOT / "packages").glob("*/cleanup.yaml"))
RULE = "rules: {tests: {why: a, remove: [tests/]}}"


def written(folder: Path, name: str = "cleanup.yaml", text: str = RULE) -> Path:
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def refused(place: Path) -> tuple[str, str, int]:
    with pytest.raises(CleanupError) as caught:
        manifest.load(place)
    return caught.value.message, caught.value.tip, caught.value.exit_code


# ---- good files ------------------------------------------------------------


def test_a_whole_manifest(tmp_path: Path) -> None:
    place = written(
        tmp_path,
        text="""
strip: verified
dedupe: true
bytecode:
  default: sourceless
  source: ["a/"]
  cached: ["b/*.py", "c/"]
docstrings: {default: drop, keep: ["a/"], drop: [a/b.py]}
descriptions: drop
rules:
  tests:
    why: they run in another stage
    source: a bug tracker
    remove: [tests/, conftest.py]
    keep: [numpy/tests/x.py]
  licences: {why: broken else, keep: ["LICENSE*"]}
prove:
  import: [a, b.c]
  run: [python, -c, pass]
""",
    )
    tests = (Glob("tests/"), Glob("conftest.py"))
    assert manifest.load(place) == Manifest(
        place,
        (
            Rule(
                "tests",
                "they run in another stage",
                tests,
                (Glob("numpy/tests/x.py"),),
                place,
                "a bug tracker",
            ),
            Rule("licences", "broken else", (), (Glob("LICENSE*"),), place),
        ),
        strip="verified",
        bytecode="sourceless",
        bytecode_for=(
            (Glob("a/"), "source"),
            (Glob("b/*.py"), "cached"),
            (Glob("c/"), "cached"),
        ),
        docstrings="drop",
        docstrings_for=((Glob("a/"), "keep"), (Glob("a/b.py"), "drop")),
        descriptions="drop",
        dedupe=True,
        imports=("a", "b.c"),
        run=("python", "-c", "pass"),
    )


def test_what_a_manifest_says_nothing_of_is_off(tmp_path: Path) -> None:
    place = written(tmp_path, text="{}")
    assert manifest.load(place) == Manifest(
        place, strip="off", bytecode="source", docstrings="keep", descriptions="keep", dedupe=False
    )


def test_what_a_manifest_says_of_descriptions_wins_over_what_it_extends(tmp_path: Path) -> None:
    written(tmp_path, "below.yaml", "descriptions: drop")
    for own, choice in (("", "drop"), ("descriptions: keep", "keep")):
        above = written(tmp_path, text=f"extends: [below.yaml]\n{own}")
        assert manifest.load(above).descriptions == choice


def test_docstrings_are_dropped_where_the_manifest_says_so(tmp_path: Path) -> None:
    text = "docstrings: {default: drop, keep: [scipy/stats/]}"
    written(tmp_path, "below.yaml", text)
    above = written(
        tmp_path, text="extends: [below.yaml]\ndocstrings: {keep: [a.py], drop: [b.py]}"
    )
    loaded = manifest.load(above)
    dropped = {
        path: loaded.drops_docstrings(path)
        for path in ("a.py", "b.py", "scipy/stats/c.py", "scipy/d.py")
    }
    assert dropped == {"a.py": False, "b.py": True, "scipy/stats/c.py": False, "scipy/d.py": True}


@pytest.mark.parametrize(
    ("said", "strip"),
    [("off", "off"), ("'off'", "off"), ("no", "off"), ("false", "off"), ("verified", "verified")],
)
def test_off_is_off_though_yaml_reads_it_as_false(tmp_path: Path, said: str, strip: str) -> None:
    assert manifest.load(written(tmp_path, text=f"strip: {said}")).strip == strip


def test_a_glob_may_name_bytes_that_are_not_text(tmp_path: Path) -> None:
    text = 'rules: {odd: {why: a, remove: ["raw\\uDCFF", "line\\nbreak"]}}'
    globs = manifest.load(written(tmp_path, text=text)).rules[0].remove
    assert globs == (Glob("raw\udcff"), Glob("line\nbreak"))


# ---- bad files -------------------------------------------------------------

MEND = "fix cleanup.yaml, then build again"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        # unknown keys, at each level
        ("rulez: {}", 'unknown key "rulez", did you mean "rules"?'),
        ("xyz: 1", 'unknown key "xyz"'),
        ("1: 2", 'key is not text "1"'),
        (
            "rules: {a: {why: b, remov: [c]}}",
            'rules.a: unknown key "remov", did you mean "remove"?',
        ),
        ("rules: {a: {why: b, remove: [c], zzzz: d}}", 'rules.a: unknown key "zzzz"'),
        (
            "rules: {a: {why: b, stand_in: true, keep: [c.so]}}",
            "rules.a.stand_in: removes nothing",
        ),
        (
            "rules: {a: {why: b, stand_in: true, remove: [c.*.so, c.py]}}",
            'rules.a.stand_in: only for extension modules (*.so), not for "c.py"',
        ),
        (
            "rules: {a: {why: b, stand_in: sure, remove: [c.so]}}",
            'rules.a.stand_in: not true or false "sure"',
        ),
        ("bytecode: {defualt: cached}", 'bytecode: unknown key "defualt", did you mean "default"?'),
        (
            "bytecode: {sourcless: [a]}",
            'bytecode: unknown key "sourcless", did you mean "sourceless"?',
        ),
        ("prove: {imports: [a]}", 'prove: unknown key "imports", did you mean "import"?'),
        # missing keys
        ("rules: {a: {remove: [b]}}", "rules.a.why: missing"),
        ("rules: {a: {why: '', remove: [b]}}", "rules.a.why: missing"),
        ("rules: {a: {why: null, remove: [b]}}", "rules.a.why: missing"),
        ("rules: {a: {why: b}}", "rules.a.remove: missing"),
        ("rules: {a: {why: b, remove: [], keep: []}}", "rules.a.remove: missing"),
        ("rules: {a: }", "rules.a: missing"),
        # values of the wrong type
        ("", "not a mapping"),
        ("[a]", "not a mapping \"['a']\""),
        ("text", 'not a mapping "text"'),
        ("rules: [a]", "rules: not a mapping \"['a']\""),
        ("rules: {a: b}", 'rules.a: not a mapping "b"'),
        ("bytecode: cached", 'bytecode: not a mapping "cached"'),
        ("prove: [a]", "prove: not a mapping \"['a']\""),
        ("extends: a.yaml", 'extends: not a list of texts "a.yaml"'),
        ("extends: [1]", 'extends: not a list of texts "[1]"'),
        ("prove: {import: a}", 'prove.import: not a list of texts "a"'),
        ("prove: {run: make x}", 'prove.run: not a list of texts "make x"'),
        ("rules: {a: {why: b, remove: c}}", 'rules.a.remove: not a list of texts "c"'),
        ("rules: {a: {why: b, keep: [1]}}", 'rules.a.keep: not a list of texts "[1]"'),
        ("rules: {a: {why: 1, keep: [b]}}", 'rules.a.why: not a text "1"'),
        ("rules: {a: {why: b, keep: [c], source: [d]}}", "rules.a.source: not a text \"['d']\""),
        ("dedupe: perhaps", 'dedupe: not true or false "perhaps"'),
        ("dedupe: 1", 'dedupe: not true or false "1"'),
        # values that are not among the choices
        ("descriptions: all", 'descriptions: unknown "all", choose one of keep, drop'),
        ("strip: all", 'strip: unknown "all", choose one of off, verified'),
        ("strip: true", 'strip: unknown "True", choose one of off, verified'),
        ("strip: null", "strip: unknown, choose one of off, verified"),
        (
            "bytecode: {default: none}",
            'bytecode.default: unknown "none", choose one of source, cached, sourceless',
        ),
        (
            "bytecode: {default: off}",
            'bytecode.default: unknown "off", choose one of source, cached, sourceless',
        ),
        # globs
        ("rules: {a: {why: b, remove: [/c]}}", 'rules.a.remove: absolute "/c"'),
        ("rules: {a: {why: b, keep: [../c]}}", 'rules.a.keep: leaves the tree "../c"'),
        ("rules: {a: {why: b, remove: [c, '*']}}", 'rules.a.remove: matches everything "*"'),
        ("rules: {a: {why: b, remove: ['']}}", 'rules.a.remove: matches everything ""'),
        ("bytecode: {cached: [/a]}", 'bytecode.cached: absolute "/a"'),
    ],
)
def test_bad_input_is_refused_with_its_key(tmp_path: Path, text: str, problem: str) -> None:
    place = written(tmp_path, text=text)
    assert refused(place) == (f"cleanup.yaml: {problem}", MEND, 2)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "cleanup.yaml"
    assert refused(place) == (
        f"{place}: cannot be read: No such file or directory",
        "check the path",
        2,
    )


def test_a_missing_extended_file_is_refused(tmp_path: Path) -> None:
    place = written(tmp_path, text="extends: [shared/a.yaml]")
    missing = tmp_path / "shared/a.yaml"
    assert refused(place) == (
        f"{missing}: cannot be read: No such file or directory",
        "check the path",
        2,
    )


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path) == (f"{tmp_path}: cannot be read: Is a directory", "check the path", 2)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"rules: [", "line 1: expected the node content, but found '<stream end>'"),
        (b"a: b: c", "line 1: mapping values are not allowed here"),
        (b"dedupe: 2001-99-99", "month must be in 1..12"),
        (b"dedupe: 2001-02-30", "day is out of range for month"),
        (b"dedupe: 0000-02-03", "year must be in 1..9999"),
        (b"dedupe: 2001-02-03 24:00:00", "hour must be in 0..23"),
        (b"dedupe: 2001-02-03 23:60:00", "minute must be in 0..59"),
        (b"dedupe: 2001-02-03 23:59:60", "second must be in 0..59"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_a_text_that_is_not_yaml_is_refused(tmp_path: Path, text: bytes, line: str) -> None:
    place = tmp_path / "cleanup.yaml"
    place.write_bytes(text)
    assert refused(place) == (f"cleanup.yaml: not YAML: {line}", f"`yamllint {place}` says more", 2)


@pytest.mark.parametrize("text", ["strip: !!bool x", "strip: !!int ''", "[" * 3000])
def test_what_pyyaml_lets_through_is_refused_too(tmp_path: Path, text: str) -> None:
    message, _, code = refused(written(tmp_path, text=text))
    assert (message.startswith("cleanup.yaml: not YAML: "), code) == (True, 2)


def test_a_rule_that_a_file_has_twice_is_refused(tmp_path: Path) -> None:
    text = "rules:\n  a: {why: b, remove: [c]}\n  a: {why: d, remove: [e]}\n"
    assert 'duplicate key "a"' in refused(written(tmp_path, text=text))[0]


def test_a_name_of_an_extended_rule_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "shared.yaml")
    place = written(
        tmp_path, text="extends: [shared.yaml]\nrules: {tests: {why: b, remove: [test/]}}"
    )
    assert refused(place) == (
        "cleanup.yaml: rules.tests: already defined in an extended manifest",
        "give the rule another name",
        2,
    )


def test_one_name_in_two_extended_manifests_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "a.yaml")
    written(tmp_path, "b.yaml")
    place = written(tmp_path, text="extends: [a.yaml, b.yaml]")
    assert refused(place) == (
        "b.yaml: rules.tests: already defined in an extended manifest",
        "give the rule another name",
        2,
    )


def test_one_glob_that_is_both_removed_and_kept_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "shared.yaml")
    place = written(
        tmp_path, text="extends: [shared.yaml]\nrules: {mine: {why: b, keep: [x, tests/]}}"
    )
    assert refused(place) == (
        'shared.yaml: rules.tests.remove: rule "mine" keeps the same "tests/"',
        "keep always wins: remove one of the two",
        2,
    )


def test_one_rule_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    place = written(tmp_path, text="rules: {a: {why: b, remove: [c], keep: [c]}}")
    assert refused(place) == (
        'cleanup.yaml: rules.a.remove: rule "a" keeps the same "c"',
        "keep always wins: remove one of the two",
        2,
    )


# ---- extends ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["extends: [0.yaml]"], "0.yaml: extends: cycle 0.yaml → 0.yaml"),
        (
            ["extends: [1.yaml]", "extends: [./0.yaml]"],
            "0.yaml: extends: cycle 0.yaml → 1.yaml → 0.yaml",
        ),
        (
            ["extends: [1.yaml]", "extends: [2.yaml]", "extends: [3.yaml]", "extends: [1.yaml]"],
            "1.yaml: extends: cycle 1.yaml → 2.yaml → 3.yaml → 1.yaml",
        ),
    ],
)
def test_a_cycle_is_refused_with_its_chain(tmp_path: Path, texts: list[str], message: str) -> None:
    for number, text in enumerate(texts):
        written(tmp_path, f"{number}.yaml", text)
    assert refused(tmp_path / "0.yaml") == (message, "remove one of them", 2)


def test_a_cycle_through_a_link_is_a_cycle(tmp_path: Path) -> None:
    place = written(tmp_path, text="extends: [link.yaml]")
    (tmp_path / "link.yaml").symlink_to("cleanup.yaml")
    assert refused(place) == (
        "link.yaml: extends: cycle cleanup.yaml → cleanup.yaml",
        "remove one of them",
        2,
    )


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    place = written(tmp_path, text="extends: [link.yaml]")
    (tmp_path / "link.yaml").symlink_to("link.yaml")
    message, tip, code = refused(place)
    assert message.startswith(f"{tmp_path}/link.yaml: cannot be read: ")
    assert (tip, code) == ("check the path", 2)


def test_rules_of_a_diamond_count_once(tmp_path: Path) -> None:
    written(tmp_path, "base.yaml")
    written(tmp_path, "a.yaml", "extends: [base.yaml]\nrules: {a: {why: b, remove: [a]}}")
    written(tmp_path, "b.yaml", "extends: [base.yaml]\nrules: {b: {why: b, remove: [b]}}")
    loaded = manifest.load(written(tmp_path, text="extends: [a.yaml, b.yaml, base.yaml]"))
    assert [rule.name for rule in loaded.rules] == ["tests", "a", "b"]


def test_rules_of_a_diamond_count_once_however_its_foot_is_spelled(tmp_path: Path) -> None:
    written(tmp_path, "base.yaml")
    written(tmp_path, "sub/a.yaml", "extends: [../base.yaml]")
    loaded = manifest.load(written(tmp_path, text="extends: [base.yaml, sub/a.yaml]"))
    assert [rule.name for rule in loaded.rules] == ["tests"]


def test_rules_are_in_order_and_know_their_file(tmp_path: Path) -> None:
    for name in "ab":
        text = f"rules: {{{name}: {{why: b, remove: [{name}]}}}}"
        written(tmp_path, f"sub/{name}.yaml", text)
    place = written(
        tmp_path,
        text="extends: [sub/b.yaml, sub/a.yaml]\nrules: {mine: {why: b, remove: [c]}}",
    )
    loaded = manifest.load(place)
    assert [(rule.name, rule.file) for rule in loaded.rules] == [
        ("b", tmp_path / "sub/b.yaml"),
        ("a", tmp_path / "sub/a.yaml"),
        ("mine", place),
    ]
    assert [rule.name for rule in loaded.own()] == ["mine"]


A = "strip: off\ndedupe: false\nbytecode: {default: cached}\nprove: {import: [a], run: [a]}\n"
B = "strip: verified\ndedupe: true\nbytecode: {default: sourceless}\nprove: {import: [b], run: [b]}"
C = "strip: off\ndedupe: false\nbytecode: {default: source}\nprove: {import: [c], run: [c]}\n"


def policies(rules: Manifest) -> tuple[str, bool | None, str, tuple[str, ...], tuple[str, ...]]:
    return rules.strip, rules.dedupe, rules.bytecode, rules.imports, rules.run


@pytest.mark.parametrize(
    ("order", "own", "expected"),
    [
        ("a.yaml", "", ("off", False, "cached", ("a",), ("a",))),
        ("a.yaml, b.yaml", "", ("verified", True, "sourceless", ("a", "b"), ("b",))),
        ("b.yaml, a.yaml", "", ("off", False, "cached", ("b", "a"), ("a",))),
        ("a.yaml, b.yaml", C, ("off", False, "source", ("a", "b", "c"), ("c",))),
        ("b.yaml, nothing.yaml", "", ("verified", True, "sourceless", ("b",), ("b",))),
        ("a.yaml, b.yaml", "dedupe: false", ("verified", False, "sourceless", ("a", "b"), ("b",))),
    ],
)
def test_the_last_extended_wins_over_earlier_and_own_over_all(
    tmp_path: Path, order: str, own: str, expected: tuple[object, ...]
) -> None:
    written(tmp_path, "a.yaml", A)
    written(tmp_path, "b.yaml", B)
    written(tmp_path, "nothing.yaml", "{}")
    assert policies(manifest.load(written(tmp_path, text=f"extends: [{order}]\n{own}"))) == expected


def test_the_first_glob_that_matches_gives_the_mode(tmp_path: Path) -> None:
    written(tmp_path, "a.yaml", "bytecode: {source: [x/], cached: [y/, z/]}")
    written(tmp_path, "b.yaml", "bytecode: {sourceless: [y/]}")
    text = (
        "extends: [a.yaml, b.yaml]\nbytecode: {default: cached, source: [z/a/], sourceless: [z/]}"
    )
    loaded = manifest.load(written(tmp_path, text=text))
    paths = ["x/m.py", "y/m.py", "z/m.py", "z/a/m.py", "other/m.py", "lib/x/m.py"]
    assert [loaded.mode(path) for path in paths] == [
        "source",  # of the first extended alone
        "sourceless",  # the last extended before the first
        "sourceless",  # the own before the extended
        "source",  # within one file: source, cached, sourceless
        "cached",  # the default
        "source",  # at any depth
    ]


# ---- the project's own -----------------------------------------------------


def test_the_project_has_manifests() -> None:
    names = [f"{path.parent.name}/{path.name}" for path in (*SHARED, *OWN)]
    assert {"cleanup/python.yaml", "cleanup/stdlib.yaml", "cleanup/known-packages.yaml"} <= {*names}
    assert {"sutra-api/cleanup.yaml", "sutra-hybrid/cleanup.yaml"} <= {*names}


@pytest.mark.parametrize(
    "place", [*SHARED, *OWN], ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_a_manifest_of_the_project_loads_and_says_why(place: Path) -> None:
    loaded = manifest.load(place)
    assert [rule.name for rule in loaded.rules if len(rule.why) < 10] == []


def test_what_is_known_of_one_package_says_from_where() -> None:
    loaded = manifest.load(ROOT / "base-images/cleanup/known-packages.yaml")
    assert [rule.name for rule in loaded.rules if len(rule.source) < 10] == []
    assert len(loaded.rules) >= 5


@pytest.mark.parametrize("place", OWN, ids=lambda path: path.parent.name)
def test_an_image_is_stripped_compiled_and_proven(place: Path) -> None:
    loaded = manifest.load(place)
    assert (loaded.strip, loaded.dedupe) == ("verified", True)
    assert loaded.bytecode in ("cached", "sourceless")
    assert loaded.imports


@pytest.mark.parametrize(
    "path",
    [
        "x-1.dist-info/METADATA",
        "x-1.dist-info/RECORD",
        "x-1.dist-info/entry_points.txt",
        "x-1.dist-info/licenses/LICENSE.md",
        "x-1.dist-info/licenses/docs/COPYING",
        "x/LICENSE.rst",
        "x/NOTICE.md",
        "x/__init__.py",
        "numpy/_core/tests/_natype.py",
        "botocore/docs/__init__.py",
        "pandas/_testing/__init__.py",
        "numpy/testing/__init__.py",
    ],
)
def test_the_hybrid_keeps(path: str) -> None:
    loaded = manifest.load(ROOT / "packages/sutra-hybrid/cleanup.yaml")
    place = f"lib/python3/site-packages/{path}"
    removed = any(glob.matches(place) for rule in loaded.rules for glob in rule.remove)
    kept = any(glob.matches(place) for rule in loaded.rules for glob in rule.keep)
    assert kept or not removed


@pytest.mark.parametrize(
    "path",
    [
        "x/__pycache__/a.pyc",
        "x/tests/a.py",
        "numpy/_core/tests/test_a.py",
        "x/docs/a.html",
        "x/a.h",
        "x/a.a",
        "x/a.pyi",
        "x/py.typed",
        "x/a.pyx",
        "x/a.pxd",
        "x-1.dist-info/direct_url.json",
        "sklearn/datasets/data/a.csv",
    ],
)
def test_the_hybrid_removes_each_item_of_the_seed(path: str) -> None:
    loaded = manifest.load(ROOT / "packages/sutra-hybrid/cleanup.yaml")
    place = f"lib/python3/site-packages/{path}"
    removed = any(glob.matches(place) for rule in loaded.rules for glob in rule.remove)
    kept = any(glob.matches(place) for rule in loaded.rules for glob in rule.keep)
    assert removed
    assert not kept
