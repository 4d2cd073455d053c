"""Statements of `make vex`: made from an image's own evidence, refused without it, and fallen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.__main__ import main as front_door
from scripts.common.errors import run
from scripts.sbom import left_parts, openvex
from tests.support.fixture_images import Files, pyc
from tests.support.good_image import SITE, good

BUDGET = "budget: {installed: 6 MB, download: 2 MB}"
CATALOG = f"""\
release: {{{BUDGET}}}
images: {{sutra-good: {{{BUDGET}}}, sutra-plain: {{{BUDGET}}}}}
"""
MANIFEST = """\
rules:
  unused: {why: the service does not use it, remove: [one/odr/, "one/_c.*.so", one/sent.py]}
  solver: {why: never called, stand_in: true, remove: ["one/_core.*.so"]}
  never: {why: of another version, remove: [one/other/]}
  libraries: {why: the runtime of odr, remove: ["one.libs/libgf*.so.5"]}
  sources: {why: built already, remove: ["*.pyx"]}
  tests: {why: not in production, remove: [tests/], keep: [one/tests/]}
"""
REPORT: dict[str, Any] = {
    "tree": "/opt/sutra",
    "compiled": {"sourceless": 1, "cached": 0, "source": 0},
    "rules": {
        "unused": {"files": 43, "bytes": 9, "why": "the service does not use it"},
        "solver": {"files": 1, "bytes": 9, "why": "never called"},
        "libraries": {"files": 1, "bytes": 9, "why": "the runtime of odr"},
        "sources": {"files": 1, "bytes": 9, "why": "built already"},
    },
    "stand_ins": ["lib/python3.13/site-packages/one/_core.py"],
}
CVE, PURL, PART = "CVE-2026-1234", "pkg:pypi/one@1.0", "one/odr/"
DOCUMENT = Path(".build/vex/sutra-good.openvex.json")


class Ask:
    """`make vex` about the good image; each call returns exit code, stdout and stderr."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, cve: str = CVE, purl: str = PURL, part: str = PART) -> tuple[int, str, str]:
        question = ("--cve", cve, "--purl", purl, "--part", part)
        return self.call("sutra-good", "archive:x.tar", *question)

    def call(self, *words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            run(lambda: front_door(["vex", *words]))
        out, err = self.capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, out, err


@pytest.fixture
def ask(folder: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The good image is there, with a cleanup."""
    (folder / "images.yaml").write_text(CATALOG)
    manifest = folder / "packages/sutra-good/cleanup.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(MANIFEST)
    save({})
    return Ask(capsys)


def save(files: Files, **changes: Any) -> None:
    report = json.dumps({**REPORT, **changes})
    subject = good({"usr/share/sutra/cleanup.json": report, **files})
    subject.save(Path("x.tar"))


def stated() -> list[str]:
    return [
        statement["vulnerability"]["name"]
        for statement in json.loads(DOCUMENT.read_text())["statements"]
    ]


def test_a_part_that_a_rule_removed_is_stated_with_its_evidence(ask: Ask) -> None:
    assert ask() == (0, f"{DOCUMENT}: 1 not_affected\n", "")
    document = json.loads(DOCUMENT.read_text())
    image = document["statements"][0]["products"][0]["@id"]
    assert image.startswith("pkg:oci/sutra-good@sha256%3A")
    assert document == {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": document["@id"],
        "author": "sutra",
        "timestamp": "1970-01-01T00:00:00Z",
        "version": 1,
        "tooling": "make vex: derived from the image's layers and the report of its cleanup",
        "statements": [
            {
                "vulnerability": {"name": CVE},
                "timestamp": "1970-01-01T00:00:00Z",
                "products": [{"@id": image, "subcomponents": [{"@id": PURL}]}],
                "status": "not_affected",
                "justification": "vulnerable_code_not_present",
                "status_notes": "part: one/odr/\n"
                "rule: unused of cleanup.yaml: the service does not use it\n"
                "removed: 43 files by that rule, in /usr/share/sutra/cleanup.json of the image\n"
                "build: 0123456789abcdef0123456789abcdef01234567",
            }
        ],
    }
    assert document["@id"].startswith("urn:uuid:")


@pytest.mark.parametrize(
    "part",
    [
        "one/odr",
        "/opt/sutra/lib/python3.13/site-packages/one/odr/",
        "opt/sutra/lib/python3.13/site-packages/one/odr/models.py",
        "one/odr/__pycache__/models.cpython-313.pyc",
        "one/odr/models.pyc",
        "one/sent.py",
        "one/_c.cpython-313-x86_64-linux-gnu.so",
        "one/_core.cpython-313-x86_64-linux-gnu.so",
    ],
)
def test_a_part_may_be_named_in_each_way(ask: Ask, part: str) -> None:
    save({f"{SITE}/one/_core.pyc": pyc()})
    assert ask(part=part) == (0, f"{DOCUMENT}: 1 not_affected\n", "")


def test_the_same_question_has_the_same_bytes(ask: Ask) -> None:
    ask()
    first = DOCUMENT.read_bytes()
    ask("GHSA-2233-4455-6677")
    assert stated() == [CVE, "GHSA-2233-4455-6677"]
    assert DOCUMENT.read_bytes() != first
    DOCUMENT.unlink()
    ask()
    assert ask() == (0, f"{DOCUMENT}: 1 not_affected\n", "")
    assert DOCUMENT.read_bytes() == first


EXPLAIN = "tip: `make explain IMAGE=sutra-good FILE={}` says more\n"


@pytest.mark.parametrize(
    ("files", "part", "problem", "tip"),
    [
        (
            {f"{SITE}/one/odr/models.pyc": pyc()},
            PART,
            f'the part is in the image "/{SITE}/one/odr/models.pyc"',
            EXPLAIN.format(PART),
        ),
        (
            {f"{SITE}/one/odr/notes.txt": "x"},
            PART,
            f'the part is in the image "/{SITE}/one/odr/notes.txt"',
            EXPLAIN.format(PART),
        ),
        (
            {f"{SITE}/one/__pycache__/sent.cpython-313.pyc": pyc()},
            "one/sent.py",
            f'the part is in the image "/{SITE}/one/__pycache__/sent.cpython-313.pyc"',
            EXPLAIN.format("one/sent.py"),
        ),
        (
            {f"{SITE}/one/sent.cpython-313-x86_64-linux-gnu.so": "x"},
            "one/sent.py",
            f'the part is in the image "/{SITE}/one/sent.cpython-313-x86_64-linux-gnu.so"',
            EXPLAIN.format("one/sent.py"),
        ),
        (
            {},
            "one/__init__.py",
            f'the part is in the image "/{SITE}/one/__init__.pyc"',
            EXPLAIN.format("one/__init__.py"),
        ),
        ({}, "one/else/", 'no rule removes "one/else/"', EXPLAIN.format("one/else/")),
        (
            {},
            "one/other/",
            'rule "never" removed nothing "one/other/"',
            EXPLAIN.format("one/other/"),
        ),
        ({}, "one/tests/", 'rule "tests" keeps "one/tests/"', EXPLAIN.format("one/tests/")),
        (
            {},
            "two/odr/",
            'no cleaned tree has a folder or module of pkg:pypi/one@1.0 for "two/odr/"',
            "tip: name the part as it is in the distribution, such as scipy/odr/\n",
        ),
        (
            {
                f"{SITE}/one.libs/readme": "x",
                f"{SITE}/one-1.0.dist-info/RECORD": "one.libs/readme,,\none/__init__.py,,\n",
                "usr/lib/libgfortran.so.5": "x",
            },
            "one.libs/libgfortran-040039e1.so.5",
            'the part is in the image "/usr/lib/libgfortran.so.5"',
            EXPLAIN.format("one.libs/libgfortran-040039e1.so.5"),
        ),
    ],
)
def test_what_the_image_does_not_show_is_refused(
    ask: Ask, files: Files, part: str, problem: str, tip: str
) -> None:
    save(files)
    assert ask(part=part) == (1, "", f"sutra-good: vex: {problem}\n{tip}")
    assert not DOCUMENT.exists()


STDLIB: Files = {
    "usr/lib/python3.13/os.py": "x",
    "var/lib/dpkg/status.d/libpy": "Package: libpy\nVersion: 3.13\n",
    "var/lib/dpkg/status.d/libpy.md5sums": "0  usr/lib/python3.13/os.py\n",
    "usr/share/sutra/cleanup-base.json": json.dumps(
        {"tree": "/usr/lib/python3.13", "rules": {"desktop": {"files": 9, "why": "no desktop"}}}
    ),
}


@pytest.mark.parametrize("part", ["idlelib/", "/usr/lib/python3.13/idlelib/run.py", "turtle.py"])
def test_a_part_of_the_base_s_standard_library(ask: Ask, folder: Path, part: str) -> None:
    manifest = folder / "base-images/cleanup/stdlib.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(
        "rules: {desktop: {why: no desktop, remove: [./idlelib/, ./turtle.py, ./x.py]}}"
    )
    save(STDLIB)
    purl = "pkg:deb/debian/libpy@3.13"
    assert ask(purl=purl, part=part) == (0, f"{DOCUMENT}: 1 not_affected\n", "")
    statement = json.loads(DOCUMENT.read_text())["statements"][0]
    assert "rule: desktop of stdlib.yaml: no desktop\n" in statement["status_notes"]
    assert ask(purl=purl, part="os.py") == (
        1,
        f"{DOCUMENT}: 1 not_affected\n",
        'sutra-good: vex: the part is in the image "/usr/lib/python3.13/os.py"\n'
        "tip: `make explain IMAGE=sutra-base-python FILE=os.py` says more\n",
    )


def test_another_version_of_the_component_is_refused(ask: Ask) -> None:
    assert ask(purl="pkg:pypi/one@1.1") == (
        1,
        "",
        'sutra-good: vex: no such component "pkg:pypi/one@1.1"\n'
        "tip: `make sbom IMAGE=sutra-good` lists them\n",
    )


def test_a_statement_falls_when_its_rule_goes(ask: Ask, folder: Path) -> None:
    ask()
    ask("CVE-2026-9999", part="one/sent.py")
    manifest = folder / "packages/sutra-good/cleanup.yaml"
    manifest.write_text(MANIFEST.replace("one/odr/, ", ""))
    fell = (
        'sutra-good: vex: no rule removes "one/odr/", so '
        f"CVE-2026-1234 is stated no more\n{EXPLAIN.format(PART)}"
    )
    assert ask.call("sutra-good", "archive:x.tar") == (1, f"{DOCUMENT}: 1 not_affected\n", fell)
    assert stated() == ["CVE-2026-9999"]
    assert ask.call("sutra-good", "archive:x.tar") == (0, f"{DOCUMENT}: 1 not_affected\n", "")


def test_the_last_statement_takes_its_document_along(ask: Ask) -> None:
    ask()
    save({f"{SITE}/one/odr/models.pyc": pyc()})
    code, out, _ = ask.call("sutra-good", "archive:x.tar")
    assert (code, out) == (1, "")
    assert not DOCUMENT.exists()
    assert ask.call("sutra-good", "archive:x.tar") == (0, "sutra-good: no statements\n", "")
    assert ask.call() == (0, "vex: no statements in .build/vex\n", "")


def test_a_refused_question_leaves_the_others(ask: Ask) -> None:
    ask()
    assert ask("CVE-2026-9999", part="one/else/")[0] == 1
    assert stated() == [CVE]


USAGE = (
    "tip: make vex IMAGE=sutra-hybrid CVE=CVE-2026-1234 "
    "PURL=pkg:pypi/scipy@1.18.0 PART=scipy/odr/\n"
)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--cve", CVE], "vex: PURL: missing"),
        (["--cve", CVE, "--purl", PURL], "vex: PART: missing"),
        (["--part", PART], "vex: CVE: missing"),
        (
            ["--cve", "CVE-26-1", "--purl", PURL, "--part", PART],
            'vex: CVE: not the name of a vulnerability "CVE-26-1"',
        ),
        (["--cve", f"{CVE}\n", "--purl", "a\nb", "--part", PART], "vex: PURL: not printable"),
    ],
)
def test_half_a_question_is_a_wrong_call(ask: Ask, words: list[str], problem: str) -> None:
    assert ask.call("sutra-good", "archive:x.tar", *words) == (2, "", f"{problem}\n{USAGE}")


def test_a_question_about_no_image_is_a_wrong_call(ask: Ask) -> None:
    words = ["--cve", CVE, "--purl", PURL, "--part", PART]
    assert ask.call(*words) == (2, "", f"vex: IMAGE: missing\n{USAGE}")


@pytest.mark.parametrize("part", ["/", "one/../odr/", "one//odr/", "one/_c.pyx", "one/odr/x.h"])
def test_what_cannot_be_a_part_is_a_wrong_call(ask: Ask, part: str) -> None:
    assert ask(part=part) == (
        2,
        "",
        f'vex: PART: neither a folder nor a module or library that runs "{part}"\n'
        "tip: what was compiled from a source is in the image: name the library\n",
    )


def test_an_unknown_image_and_a_missing_one(ask: Ask) -> None:
    code, _, err = ask.call("sutra-goood")
    assert (code, err.splitlines()[0]) == (
        2,
        'images.yaml: images: no such image "sutra-goood", did you mean "sutra-good"?',
    )


def test_an_image_without_a_manifest_is_refused(ask: Ask) -> None:
    words = ["--cve", CVE, "--purl", PURL, "--part", PART]
    assert ask.call("sutra-plain", "archive:x.tar", *words) == (
        1,
        "",
        "sutra-plain: vex: no cleanup manifest\ntip: it is built without one\n",
    )


@pytest.mark.parametrize("report", ["{", "[]", "{}", '{"tree": "/opt", "rules": 1}'])
def test_a_damaged_report_is_one_line(ask: Ask, report: str) -> None:
    save({"usr/share/sutra/cleanup.json": report})
    assert ask() == (
        2,
        "",
        'sutra-good: report of a cleanup cannot be read "usr/share/sutra/cleanup.json"\n'
        "tip: run `make build`\n",
    )


@pytest.mark.parametrize("files", ["43", 0, -1, True, 4.5, None])
def test_a_rule_without_numbers_removed_nothing(ask: Ask, files: object) -> None:
    save({}, rules={"unused": {"files": files, "why": "the service does not use it"}})
    assert ask()[2].splitlines()[0] == ('sutra-good: vex: rule "unused" removed nothing "one/odr/"')


@pytest.mark.parametrize("text", ["", "[]", '{"statements": [1]}', '{"statements": [{}]}', "\xff"])
def test_a_document_of_someone_else_is_left_alone(ask: Ask, text: str) -> None:
    DOCUMENT.parent.mkdir(parents=True)
    DOCUMENT.write_bytes(text.encode("latin-1"))
    assert ask() == (
        2,
        "",
        f"{DOCUMENT}: not a document of `make vex`\ntip: remove it, then state each again\n",
    )
    assert DOCUMENT.read_bytes() == text.encode("latin-1")


def test_a_wrong_manifest_is_one_line(ask: Ask, folder: Path) -> None:
    (folder / "packages/sutra-good/cleanup.yaml").write_text("rulez: {}")
    code, _, err = ask()
    assert (code, err.splitlines()[0]) == (
        2,
        'cleanup.yaml: unknown key "rulez", did you mean "rules"?',
    )


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("CVE-2026-1234", True),
        ("CVE-2026-123", False),
        ("cve-2026-1234", False),
        ("GHSA-2233-4455-6677", True),
        ("RUSTSEC-2026-0001", True),
        ("PYSEC-2026-1", True),
        ("CVE-2026-1234\n", False),
    ],
)
def test_names_of_vulnerabilities(name: str, fits: bool) -> None:
    assert bool(openvex.VULNERABILITY.fullmatch(name)) is fits


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.pyc", "a/b.py"),
        ("a/__pycache__/b.cpython-313.opt-1.pyc", "a/b.py"),
        ("a/b.so", "a/b.so"),
        ("__pycache__/b.cpython-313.pyc", "b.py"),
    ],
)
def test_the_source_of_bytecode(path: str, expected: str) -> None:
    assert left_parts.source(path) == expected
