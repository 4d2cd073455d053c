"""`make outdated` against indexes on loopback: newer versions, advisories, wrong answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scripts.__main__ import main as front_door
from scripts.common.errors import SutraError, run
from scripts.sbom import locked, newest
from scripts.sbom.locked import Locked
from tests.support.running import served

BUDGET = "budget: {installed: 6 MB, download: 2 MB}"
CATALOG = f"""\
release: {{{BUDGET}}}
images: {{sutra-a: {{{BUDGET}}}, sutra-b-server: {{{BUDGET}}}, sutra-base: {{{BUDGET}}}}}
"""
PYTHON = """\
# made by uv
H11==0.14.0 \\
    --hash=sha256:0
uvicorn[standard]==1.0 ; python_version < "3.14" \\
"""
SOURCE = "registry+https://github.com/rust-lang/crates.io-index"
RUST = f"""\
[[package]]
name = "syn"
version = "2.0.1"
source = "{SOURCE}"
[[package]]
name = "ours"
version = "0.1.0"
"""
FILE = [{"yanked": False}]
ANSWERS: dict[str, Any] = {
    "/pypi/h11/json": {
        "info": {"version": "0.16.0"},
        "releases": {
            "0.14.0": FILE,
            "0.16.0": FILE,
            "0.17.0rc1": FILE,
            "0.18.0": [{"yanked": True}],
            "odd": FILE,
            "0.19": [],
        },
    },
    "/pypi/h11/0.14.0/json": {
        "vulnerabilities": [
            {"id": "PYSEC-2026-7", "aliases": ["GHSA-x", "CVE-2026-43859"], "withdrawn": None},
            {"id": "PYSEC-2026-8", "aliases": [], "withdrawn": "2026-01-01"},
        ]
    },
    "/pypi/uvicorn/json": {
        "info": {"version": "1.0"},
        "vulnerabilities": [],
        "releases": {"1.0": FILE, "0.9": FILE},
    },
    "/3/s/syn": [
        {"vers": "2.0.1", "yanked": False},
        {"vers": "2.0.10", "yanked": False},
        {"vers": "3.0.0", "yanked": True},
        {"vers": "3.0.0-rc.1", "yanked": False},
    ],
}
Outdated = Callable[..., tuple[int, str, str]]


class Index(ThreadingHTTPServer):
    """Both indexes: answers by path, a whole document or one on each line."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Any] = dict(ANSWERS)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        answer = self.server.answers.get(self.path)
        status = 200 if answer is not None else 404
        self.send_response(answer if isinstance(answer, int) else status)
        self.end_headers()
        if isinstance(answer, list):
            self.wfile.write("".join(f"{json.dumps(line)}\n" for line in answer).encode())
        elif answer is not None and not isinstance(answer, int):
            text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


@pytest.fixture
def index() -> Iterator[Index]:
    server = Index()
    with served(server):
        yield server


@pytest.fixture
def outdated(
    folder: Path,
    index: Index,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Outdated:
    """Call the command in a small project, and return exit code, stdout and stderr."""
    (folder / "images.yaml").write_text(CATALOG)
    for name, text in {"sutra-a/requirements.lock": PYTHON, "sutra-b/Cargo.lock": RUST}.items():
        (folder / "packages" / name).parent.mkdir(parents=True)
        (folder / "packages" / name).write_text(text)
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.address}/simple/")
    monkeypatch.setenv("CARGO_REGISTRY", f"sparse+{index.address}/")

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            run(lambda: front_door(["outdated", *words]))
        out, err = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, out, err

    return call


TABLE = """\
| kind | name | locked | newest | security | advisories | pull | images |
| --- | --- | --- | --- | --- | --- | --- | --- |
| cargo | syn | 2.0.1 | 2.0.10 |  |  | not known | sutra-b-server |
| pypi | h11 | 0.14.0 | 0.16.0 | advisory | CVE-2026-43859 | not known | sutra-a |
2 of 3 locked versions are outdated or have an advisory
"""


def test_newer_versions_and_advisories_are_listed(outdated: Outdated) -> None:
    assert outdated("--format", "markdown") == (0, TABLE, "")


def test_the_table_has_the_same_rows(outdated: Outdated) -> None:
    code, out, err = outdated()
    assert (code, err) == (0, "")
    assert (
        "│ pypi  │ h11  │ 0.14.0 │ 0.16.0 │ advisory │ CVE-2026-43859 │ not known │ sutra-a " in out
    )


def test_json_has_the_same_rows(outdated: Outdated) -> None:
    code, out, _ = outdated("--format", "json")
    rows = json.loads(out)
    assert (code, len(rows)) == (0, 2)
    assert rows[1] == {
        "kind": "pypi",
        "name": "h11",
        "locked": "0.14.0",
        "newest": "0.16.0",
        "security": "advisory",
        "advisories": ["CVE-2026-43859"],
        "pull": None,
        "images": ["sutra-a"],
        "why": "",
    }


def test_an_advisory_about_the_newest_version_is_listed_too(
    outdated: Outdated, index: Index
) -> None:
    answer = {**ANSWERS["/pypi/uvicorn/json"], "vulnerabilities": [{"id": "PYSEC-2026-1"}]}
    index.answers["/pypi/uvicorn/json"] = answer
    out = outdated("--format", "markdown")[1]
    assert "| pypi | uvicorn | 1.0 | 1.0 |  | PYSEC-2026-1 | not known | sutra-a |" in out


def test_a_mirror_without_single_versions_leaves_advisories_unknown(
    outdated: Outdated, index: Index
) -> None:
    del index.answers["/pypi/h11/0.14.0/json"]
    row = "| pypi | h11 | 0.14.0 | 0.16.0 |  | unknown | not known | sutra-a |"
    assert row in outdated("--format", "markdown")[1].splitlines()
    assert json.loads(outdated("--format", "json")[1])[1]["advisories"] is None


def test_images_that_share_a_version_are_one_row(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "requirements.lock").write_text("x==1.0\n")
    assert locked.read(("one", "two", "base"), tmp_path) == [
        Locked("pypi", "x", "1.0", ("one", "two"))
    ]


@pytest.mark.parametrize(
    ("path", "answer", "name", "problem"),
    [
        ("/pypi/h11/json", None, "h11", "HTTP 404"),
        ("/pypi/h11/json", b"<html>", "h11", "odd form"),
        ("/pypi/h11/json", {"releases": {"9": [{}]}}, "h11", "odd form"),
        ("/pypi/h11/json", b"[" * 100_000, "h11", "odd form"),
        ("/pypi/h11/json", {"releases": {}}, "h11", "odd form"),
        ("/pypi/h11/0.14.0/json", b"[]", "h11", "odd form"),
        ("/pypi/h11/0.14.0/json", 503, "h11", "HTTP 503"),
        ("/pypi/h11/0.14.0/json", {"vulnerabilities": [{"id": "\x1b[31m"}]}, "h11", "odd form"),
        ("/3/s/syn", None, "syn", "HTTP 404"),
        ("/3/s/syn", [{"vers": "3.0.0"}], "syn", "odd form"),
        ("/3/s/syn", ["3.0.0"], "syn", "odd form"),
    ],
)
def test_an_answer_of_another_form_is_one_line(
    outdated: Outdated, index: Index, path: str, answer: Any, name: str, problem: str
) -> None:
    index.answers[path] = answer
    knob = "CARGO_REGISTRY" if name == "syn" else "PIP_INDEX_URL"
    assert outdated() == (
        2,
        "",
        f'outdated: 127.0.0.1: no answer about "{name}": {problem}\n'
        f"tip: check {knob} and CA_BUNDLE, or run it again\n",
    )


def test_no_index_is_one_line_without_the_login(
    outdated: Outdated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:hunter2@127.0.0.1:9/simple")
    code, out, err = outdated()
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == 'outdated: 127.0.0.1: no answer about "h11": no connection'
    assert "hunter2" not in err


def test_an_answer_that_is_too_long_or_too_late(
    outdated: Outdated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest, "MOST", 10)
    assert outdated()[2].splitlines()[0].endswith(": odd form")
    monkeypatch.setattr(newest, "WHOLE_SECONDS", 0)
    assert outdated()[2].splitlines()[0].endswith(": it took too long")


def test_a_silent_index_is_not_asked_again_and_again(
    outdated: Outdated, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    addresses: list[str] = []

    def silent(address: str, places: newest.Indexes) -> bytes:
        addresses.append(address)
        time.sleep(0.05)
        raise TimeoutError

    lines = "".join(f"x{number}==1.0\n" for number in range(500))
    (folder / "packages/sutra-a/requirements.lock").write_text(lines)
    monkeypatch.setattr(newest, "_get", silent)
    assert outdated()[0] == 2
    assert len(addresses) < 500


def test_ca_bundle_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    places = newest.indexes({"CA_BUNDLE": str(tmp_path / "ca.pem")})
    assert places.session.verify == str(tmp_path / "ca.pem")


@pytest.mark.parametrize("knob", ["PIP_INDEX_URL", "CARGO_REGISTRY"])
@pytest.mark.parametrize("address", ["ftp://x/simple", "pypi.example", "https://", "http://["])
def test_an_invalid_address_is_refused(
    outdated: Outdated, monkeypatch: pytest.MonkeyPatch, knob: str, address: str
) -> None:
    monkeypatch.setenv(knob, address)
    assert outdated() == (
        2,
        "",
        f"{knob}: not an address of http or https\ntip: {knob}=https://…\n",
    )


def test_the_indexes_without_knobs_are_the_public_ones() -> None:
    places = newest.indexes({})
    assert (places.pypi, places.crates) == ("https://pypi.org", "https://index.crates.io")


def test_an_unknown_format_is_refused(outdated: Outdated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORMAT", "junit")
    assert outdated() == (
        2,
        "",
        'FORMAT: unknown "junit"\ntip: choose one of table, json, markdown, github\n',
    )


CRATE = f'[[package]]\nname = "%s"\nversion = "%s"\nsource = "{SOURCE}"\n'


def test_a_lock_may_have_blanks_and_comments(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/requirements.lock").write_text(
        "# by uv\r\n\r\nx[extra] == 1.0 ; python_version > '3' \\\r\n"
        "    --hash=sha256:00\r\n    # via y\r\n"
    )
    assert locked.read(("one",), tmp_path) == [Locked("pypi", "x", "1.0", ("one",))]


@pytest.mark.parametrize("name", ["requirements.lock", "Cargo.lock"])
def test_a_broken_link_is_no_service_without_a_lock(tmp_path: Path, name: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / name).symlink_to("elsewhere")
    with pytest.raises(SutraError) as caught:
        locked.read(("one",), tmp_path)
    assert caught.value.message.startswith(f"{tmp_path}/one/{name}: cannot be read: [Errno 2] ")


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("requirements.lock", "x==one\n", 'not a version "one"'),
        ("requirements.lock", b"\xff", "cannot be read: "),
        ("requirements.lock", "x==1\ny>=2\n", 'line 2: not pinned "y>=2"'),
        ("requirements.lock", "y @ https://e/y.whl\n", 'line 1: not pinned "y @ https://e/y.whl"'),
        ("requirements.lock", "<<<<<<< HEAD\nx==1\n", 'line 1: not pinned "<<<<<<< HEAD"'),
        ("requirements.lock", "\ufeffx==1\n", "line 1: not pinned "),
        ("requirements.lock", "x===1\n", 'not a version "=1"'),
        ("Cargo.lock", CRATE % ("x/../y", "1.0.0"), 'cannot be read: not a crate "x/../y 1.0.0"'),
        ("Cargo.lock", CRATE % ("x", "1.0 | y"), 'cannot be read: not a crate "x 1.0 | y"'),
        ("Cargo.lock", "[[package", "cannot be read: "),
        ("Cargo.lock", '[[package]]\nname = "x"\n', "cannot be read: "),
        ("Cargo.lock", "package = 1", "cannot be read: "),
    ],
)
def test_a_damaged_lock_is_one_line(
    tmp_path: Path, file: str, text: str | bytes, problem: str
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SutraError) as caught:
        locked.read(("one",), tmp_path)
    assert caught.value.message.startswith(f"{tmp_path}/one/{file}: {problem}")
    assert caught.value.tip == "run `make lock`"


@pytest.mark.parametrize(
    ("have", "there", "best"),
    [
        ("1.2.3", ["1.2.3", "1.2.10"], "1.2.10"),
        ("1.2.3", ["1.2.2", "0.9.9"], "1.2.3"),
        ("1.2.3", ["1.2.4+build.5"], "1.2.4+build.5"),
        ("1.2.3", ["2.0.0-alpha.1"], "1.2.3"),
        ("0.11.1+wasi-preview1", ["0.11.1", "0.11.1+wasi-preview1"], "0.11.1+wasi-preview1"),
        ("1.0.0-rc.1", ["1.0.0"], "1.0.0"),
        ("1.0.0-rc.1", ["0.9.0"], "1.0.0-rc.1"),
    ],
)
def test_the_newest_crate(have: str, there: list[str], best: str) -> None:
    lines = [{"vers": version, "yanked": False} for version in there]
    assert newest.newest_crate(have, lines) == best


@pytest.mark.parametrize(
    ("name", "path"),
    [("a", "1/a"), ("ab", "2/ab"), ("syn", "3/s/syn"), ("Inflector", "in/fl/inflector")],
)
def test_where_the_index_keeps_a_crate(name: str, path: str) -> None:
    assert newest._crate_path(name) == path
