"""Packages of npm are cleaned by rules, and shown to load as before: with a real Node.js."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sutra_cleanup.node import links, packages
from sutra_cleanup.node.packages import Package
from sutra_cleanup.tree import Entry

from tests.unit.cleanup.trees import LIB, Link, make, snapshot

# manifest of a service that has no rules of its own
SHARED = f"extends: [{LIB.parent}/cleanup/node.yaml]\n"
TREE: dict[str, str | bytes | Link] = {
    "one/package.json": '{"name": "one", "version": "1.0.0", "main": "lib"}',
    "one/lib/index.js": "exports.late = () => require('./late');\n",
    "one/lib/late.js": "",
    "one/test/late.js": "throw new Error();\n",
    "one/README.md": "text\n",
    "one/LICENSE.md": "text\n",
    "one/index.d.ts": "export {};\n",
    "one/lib/index.js.map": "{}",
    "@a/two/package.json": json.dumps(
        {
            "name": "@a/two",
            "version": "2.0.0",
            "type": "module",
            "exports": {".": "./a.js", "./sub": "./sub/b.js", "./files/*": "./docs/*"},
        }
    ),
    "@a/two/a.js": "export { b } from './sub/b.js';\n",
    "@a/two/sub/b.js": "import 'one/lib/late.js';\nexport const b = await 1;\n",
    "@a/two/docs/a.html": "",
    "@a/two/node_modules/one/package.json": '{"name": "one", "version": "0.1.0"}',
    "@a/two/node_modules/one/index.js": "",
    "@a/two/node_modules/one/lib/late.js": "",
    ".bin/one": Link("../one/lib/index.js"),
    ".package-lock.json": "{}",
}
LEFT = [
    "@a/two/a.js",
    "@a/two/node_modules/one/index.js",
    "@a/two/node_modules/one/lib/late.js",
    "@a/two/node_modules/one/package.json",
    "@a/two/package.json",
    "@a/two/sub/b.js",
    "one/LICENSE.md",
    "one/lib/index.js",
    "one/lib/late.js",
    "one/package.json",
]


def clean(
    tree: Path, rules: str = SHARED, *more: str, folder: Path | None = None
) -> tuple[int, str, str]:
    """Run the cleanup as a builder does; return exit code, stdout and stderr."""
    folder = folder or tree.parent
    manifest = folder / "cleanup.yaml"
    manifest.write_text(rules)
    command = [sys.executable, "-B", "-m", "sutra_cleanup.node", "--manifest", str(manifest)]
    done = subprocess.run(
        [*command, "--tree", str(tree), *more],
        cwd=folder,
        env={"PYTHONPATH": str(LIB), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make(tmp_path / "node_modules", TREE)


def test_what_no_service_needs_leaves_and_all_loads_as_before(tree: Path) -> None:
    report = tree.parent / "report.json"
    code, out, err = clean(tree, SHARED, "--report", str(report), "--shown-as", "/app/node_modules")
    assert (code, err) == (0, "")
    # one in both folders by import and require; @a/two is a module with `await`: by import alone
    assert out.splitlines()[-1].endswith(" MB, 6 names of packages load as before")
    files = (file for file in tree.rglob("*") if not file.is_dir())
    assert sorted(str(file.relative_to(tree)) for file in files) == LEFT
    document = json.loads(report.read_text())
    assert document["tree"] == "/app/node_modules"
    assert {name: row["files"] for name, row in document["rules"].items()} == {
        "commands": 2,
        "tests": 1,
        "documentation": 2,
        "types": 1,
        "source-maps": 1,
    }
    assert set(document["packages"]) == {"@a/two", "one", ".bin", ".package-lock.json"}


def test_a_tree_that_is_named_from_its_own_folder(tree: Path) -> None:
    code, out, err = clean(Path("node_modules"), SHARED, folder=tree.parent)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].endswith(" MB, 6 names of packages load as before")


def broken(rule: str, remove: str) -> str:
    return f'rules: {{{rule}: {{why: "of a test", remove: ["{remove}"]}}}}\n'


@pytest.mark.parametrize(
    ("remove", "message", "keep"),
    [
        (
            "one/lib/",
            '"@a/two/sub/b.js": it names what leaves: by rule "bad" '
            '"@a/two/node_modules/one/lib/late.js"',
            "@a/two/node_modules/one/lib/late.js",
        ),
        (
            "late.js",
            '"@a/two/sub/b.js": it names what leaves: by rule "bad" '
            '"@a/two/node_modules/one/lib/late.js" (+1 more)',
            "@a/two/node_modules/one/lib/late.js",
        ),
        (
            "./one/lib/late.js",
            '"one/lib/index.js": it names what leaves: by rule "bad" "one/lib/late.js"',
            "one/lib/late.js",
        ),
    ],
)
def test_a_file_that_another_names_does_not_leave(
    tree: Path, remove: str, message: str, keep: str
) -> None:
    before = snapshot(tree)
    code, out, err = clean(tree, broken("bad", remove))
    assert err.splitlines() == [
        f"cleanup: broke {message}",
        f'tip: cleanup.yaml: rules: {{needed: {{why: …, keep: ["{keep}"]}}}}',
    ]
    assert (code, out, snapshot(tree)) == (1, "", before)


def test_a_package_that_no_longer_loads_names_the_rule(tree: Path) -> None:
    (tree / "one/lib/index.js").write_text("require('f' + 's').readFileSync(__dirname + '/x.md')\n")
    (tree / "one/lib/x.md").write_text("needed")
    before = snapshot(tree)
    code, out, err = clean(tree)
    lines = err.splitlines()
    assert lines[0].startswith('cleanup: broke import "one": ENOENT: no such file or directory, ')
    assert lines[0].endswith(': by rule "documentation" "one/lib/x.md" (+1 more)')
    assert lines[1:] == ['tip: cleanup.yaml: rules: {needed: {why: …, keep: ["one/lib/x.md"]}}']
    assert (code, out, snapshot(tree)) == (1, "", before)


def test_what_never_loaded_is_not_asked_again(tree: Path) -> None:
    """Types alone; one that ends the process, one that waits for ever, one that is broken."""
    files: dict[str, str | bytes | Link] = {
        "@types/x/package.json": '{"name": "@types/x", "version": "1.0.0", "main": ""}',
        "@types/x/index.d.ts": "",
        "ends/package.json": '{"name": "ends", "version": "1.0.0"}',
        "ends/index.js": "process.exit(0)",
        "torn/package.json": "{",
        "waits/package.json": '{"name": "waits", "version": "1.0.0", "type": "module"}',
        "waits/index.js": "setInterval(() => 0, 1e6); console.log('[]'); await 1;",
    }
    code, out, err = clean(make(tree, files))
    assert (code, err) == (0, "")
    # waits: by import, its timer ends with the question; `require` refuses what awaits
    assert out.splitlines()[-1].endswith(" MB, 7 names of packages load as before")


def test_a_tree_in_which_nothing_loads_proves_nothing(tree: Path) -> None:
    code, out, err = clean(tree, SHARED, "--node", "false")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        'node_modules: no package loads before the cleanup: import "@a/two": it ended the '
        "process, or did not return",
        "tip: install the packages again, or check --node",
    ]


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        ("strip: verified\n", "strip"),
        ("bytecode: {cached: [a/]}\n", "bytecode"),
        ("docstrings: {default: drop}\n", "docstrings"),
        ("dedupe: true\n", "dedupe"),
        ("descriptions: drop\n", "descriptions"),
        ("prove: {import: [one]}\n", "prove"),
    ],
)
def test_what_is_for_python_alone_is_refused(tree: Path, rules: str, key: str) -> None:
    assert clean(tree, rules) == (
        2,
        "",
        f"cleanup.yaml: {key}: not for packages of Node.js\n"
        "tip: remove it from cleanup.yaml and from what it extends, then build again\n",
    )


def test_a_wrong_call(tree: Path, tmp_path: Path) -> None:
    assert clean(tree / "one") == (
        2,
        "",
        f'--tree: not a node_modules folder "{tree}/one"\ntip: name one\n',
    )
    assert clean(tmp_path / "x/node_modules", folder=tmp_path) == (
        2,
        "",
        f'tree: no such folder "{tmp_path}/x/node_modules"\ntip: check --tree\n',
    )
    assert clean(tree, SHARED, "--node", "/no/node") == (
        2,
        "",
        '--node: not found "/no/node"\ntip: name Node.js\n',
    )


@pytest.mark.parametrize(
    ("exports", "names"),
    [
        (None, ["a"]),
        ("./a.js", ["a"]),
        (["./a.js"], ["a"]),
        ({"import": "./a.js", "require": "./a.cjs"}, ["a"]),
        ({".": "./a.js", "./b": {"node": "./b.js"}}, ["a", "a/b"]),
        ({"./b": "./b.js", "./c/*": "./c/*.js", "./d/": "./d/"}, ["a/b"]),
    ],
)
def test_the_names_that_a_package_offers(exports: object, names: list[str]) -> None:
    assert list(packages.entries(Package("", "a"), {"exports": exports})) == names


@pytest.mark.parametrize(
    ("file", "name", "target"),
    [
        ("a/lib/x.js", "./y", "a/lib/y.js"),
        ("a/lib/x.js", "./y.js", "a/lib/y.js"),
        ("a/lib/x.js", ".", "a/lib/index.js"),
        ("a/lib/x.js", "..", None),
        ("a/lib/x.js", "../data", "a/data.json"),
        ("a/lib/x.js", "./z", None),
        ("a/lib/x.js", "../../../etc", None),
        ("a/lib/x.js", "b", None),
        ("a/lib/x.js", "b/deep", "b/deep.js"),
        ("b/node_modules/c/x.js", "d/deep", "b/node_modules/d/deep.js"),
        ("b/node_modules/c/x.js", "a/lib", "a/lib/index.js"),
        ("a/lib/x.js", "d/deep", None),
        ("a/lib/x.js", "@s/e/f", "@s/e/f.node"),
        ("a/lib/x.js", "@s/e", None),
        ("a/lib/x.js", "node:fs/promises", None),
    ],
)
def test_where_a_name_leads(file: str, name: str, target: str | None) -> None:
    paths = [
        "a/lib/y.js", "a/lib/index.js", "a/data.json", "a/package.json", "b/deep.js",
        "b/node_modules/d/deep.js", "b/node_modules/c/x.js", "@s/e/f.node",
    ]  # fmt: skip # a list of words
    files = links.Files([Entry(path, 1, False, None, None) for path in paths])
    assert files.target(file, name) == target
