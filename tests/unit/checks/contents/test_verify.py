"""Every rule of scripts/contents: an image that fails it, and what it says; one that passes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import certifi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.__main__ import main as front_door
from scripts.catalog import catalog
from scripts.catalog.catalog import Budget, Catalog, Image
from scripts.catalog.rule_names import IN_BYTES, NAMES
from scripts.checks.contents import verify as verify_contents
from scripts.checks.contents.rules import RULES
from scripts.commands.verify_contents import tip
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.image import inventory, secret_scan
from tests.support.fixture_images import Item, Made, elf, link, program, pyc
from tests.support.good_image import LIB, NAME, RECORD, REPORT, SITE, good
from tests.unit.fakes import FakeEngine

RSA = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA" * 8 + "\n"
AWS = "AKIA" + "ABCDEFGH23456722"
DER = b"\x30\x82\x01\x00" + bytes(range(256))


def pem(certificate: bytes) -> bytes:
    body = base64.encodebytes(certificate)
    return b"-----BEGIN CERTIFICATE-----\n%b-----END CERTIFICATE-----\n" % body


PEM = pem(DER)
CACHED = "opt/sutra/lib/__pycache__/x.cpython-313.pyc"
EGG = f"{SITE}/old-1.0.egg-info"
APK = "lib/apk/db/installed"
BUNDLE = f"{SITE}/one/cacert.pem"
ROOT_CA = pem(next(secret_scan.certificates(Path(certifi.where()).read_bytes())))


def record_of(bundle: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(bundle).digest()).decode().rstrip("=")
    return f"one/cacert.pem,sha256={digest},{len(bundle)}\n"


def apk_of(bundle: bytes) -> str:
    digest = base64.b64encode(hashlib.sha1(bundle, usedforsecurity=False).digest()).decode()
    return f"P:ca\nL:MPL\nF:etc/ssl\nR:cert.pem\na:0:0:644\nZ:Q1{digest}\n"


def promise(folder: Path, contents: str = "", more: str = "") -> Catalog:
    file = folder / "images.yaml"
    file.write_text(
        f"release: {{budget: {{installed: 1 MB, download: 1 MB}}}}\n"
        f"images:\n"
        f"  {NAME}:\n    budget: {{installed: 1 MB, download: 1 MB}}\n{contents}{more}"
    )
    return catalog.load(file)


def verify(
    folder: Path,
    image: Made,
    promises: Catalog | None = None,
    private: frozenset[str] = frozenset(),
) -> list[CheckResult]:
    """Return all results for an image that is written to, and read from, a file."""
    path = image.save(folder / "image.tar")
    promises = promises or promise(folder)
    found = inventory.read(None, f"archive:{path}", folder / "cache")
    assert found
    return verify_contents.judge(promises, promises.find(NAME), found, private)


def details(results: Sequence[CheckResult], folder: Path) -> list[str]:
    """Return what is said of the failed ones, without the folder of the catalogue."""
    return [result.detail.replace(f"{folder}/", "") for result in results if not result.ok]


def test_an_image_that_keeps_every_rule_passes_them_all(tmp_path: Path) -> None:
    found = verify(tmp_path, good())
    assert details(found, tmp_path) == []
    assert [
        (one.image, one.name, one.actual, one.limit, one.detail, one.unit) for one in found
    ] == [(NAME, f"contents.{rule.name}", 0, 0, "", rule.unit) for rule in RULES]


def case(rule: str, message: str, files: dict[str, Any] | None = None, **how: Any) -> Any:
    return pytest.param(rule, message, good(files, **how), id=f"{rule}: {message}"[:80])


def exe(path: str) -> dict[str, Any]:
    """A program in which nothing but its name and its mode speaks."""
    return {path: program(elf())}


FAILING = [
    case("toolchain", 'forbidden "app/gcc-14"', exe("app/gcc-14")),
    case("toolchain", 'forbidden "app/x86_64-linux-gnu-ld.bfd"',
         exe("app/x86_64-linux-gnu-ld.bfd")),
    case("toolchain", 'forbidden "app/g++" (+2 more)',
         {**exe("app/g++"), **exe("app/make"), **exe("app/rustc")}),
    case("toolchain", 'forbidden "opt/bin/cc"', {"opt/bin/cc": link("../../usr/bin/python3")}),
    *(case("toolchain", f'forbidden "app/{name}"', exe(f"app/{name}")) for name in (
        "mold", "ld.mold", "rust-lld", "lld", "lld-link", "clang-format-19", "clang++", "llvm-ar")),
    *(case("installers", f'forbidden "app/{name}"', {f"app/{name}": ""}) for name in (
        "pip.pyz", "pip-25.1-py3-none-any.whl")),
    *(case("installers", f'forbidden "app/{name}"', {f"app/{name}": pyc()}) for name in (
        "pip/main.pyc", "vendor/setuptools/x/y.pyc", "get-pip.pyc")),
    case("installers", 'forbidden "app/bin/pip3.13"', exe("app/bin/pip3.13")),
    case("installers", f'forbidden "{SITE}/setuptools/x.txt"',
         {f"{SITE}/setuptools/x.txt": "", f"{SITE}/one-1.0.dist-info/RECORD":
          RECORD + "setuptools/x.txt,,\n"}),
    case("package-managers", 'forbidden "app/apt-get"', exe("app/apt-get")),
    case("package-managers", 'forbidden "app/apk"', exe("app/apk")),
    case("shells", 'forbidden "app/sh" (+2 more)',
         {**exe("app/sh"), **exe("app/busybox"), **exe("app/perl5.40.1")}),
    case("headers", 'forbidden "app/x.h"', {"app/x.h": ""}),
    case("headers", 'forbidden "usr/include/c++/vector"', {"usr/include/c++/vector": ""}),
    case("static-libraries", 'forbidden "app/libx.a"', {"app/libx.a": ""}),
    case("tests", 'forbidden "app/tests/x.txt"', {"app/tests/x.txt": ""}),
    case("tests", 'forbidden "app/conftest.pyc"', {"app/conftest.pyc": pyc()}),
    case("docs", 'forbidden "usr/share/doc/libc6/NEWS"', {"usr/share/doc/libc6/NEWS": ""}),
    case("docs", 'forbidden "usr/share/man/man1/x.1"', {"usr/share/man/man1/x.1": ""}),
    case("docs", f'forbidden "{SITE}/one-1.0.dist-info/README.md"',
         {f"{SITE}/one-1.0.dist-info/README.md": ""}),
    *(case("docs", f'forbidden "{path}"', {path: ""}) for path in (
        "app/docs/x.html", "app/README.md", "app/readme.txt", "opt/x/y/README", "app/CHANGELOG",
        "usr/local/x/examples/x.json")),
    case("caches", 'forbidden "root/.cache/pip/x"', {"root/.cache/pip/x": ""}),
    case("caches", 'forbidden "var/lib/apt/lists/x"', {"var/lib/apt/lists/x": ""}),
    case("build-files", 'forbidden "app/x.pyx"', {"app/x.pyx": ""}),
    case("build-files", 'forbidden "app/.git/HEAD"', {"app/.git/HEAD": ""}),
    case("architecture", 'of aarch64 "app/x"', {"app/x": elf(machine="aarch64")}),
    case("architecture", 'damaged ELF file "app/x"', {"app/x": b"\x7fELFnothing"}),
    case("stripped", 'not stripped "app/x"', {"app/x": elf(symbols=True)}),
    case("libraries", 'interpreter not found "/lib/ld-none.so.1", of "app/x"',
         {"app/x": elf(interpreter="/lib/ld-none.so.1")}),
    case("libraries", 'library not found "libz.so.1", needed by "app/x"',
         {"app/x": elf(["libz.so.1"])}),
    case("bytecode", 'bytecode without a header "app/x.pyc"', {"app/x.pyc": b"short"}),
    case("bytecode", 'bytecode of another Python "app/x.pyc"', {"app/x.pyc": pyc(3531)}),
    case("bytecode", 'stale bytecode "app/x.pyc"',
         {"app/x.py": Item(b"1", mtime=7), "app/x.pyc": pyc(flags=0, mtime=8, size=1)}),
    case("bytecode", 'stale bytecode "app/__pycache__/x.cpython-313.pyc"',
         {"app/x.py": Item(b"12", mtime=7),
          "app/__pycache__/x.cpython-313.pyc": pyc(flags=0, mtime=7, size=1)}),
    case("bytecode", 'stale bytecode "app/__pycache__/x.cpython-313.pyc"',
         {"app/x.py": "2", "app/__pycache__/x.cpython-313.pyc": pyc(flags=1, source=b"1")}),
    case("bytecode", 'stale bytecode "app/x.pyc"',
         {"app/x.py": "2", "app/x.pyc": pyc(flags=3, source=b"1")}),
    case("bytecode", 'bytecode that cannot be compared with its source "app/x.pyc"',
         {"app/x.py": bytes((16 << 20) + 1), "app/x.pyc": pyc(source=b"1")}),
    case("bytecode", 'bytecode without its source "app/__pycache__/x.cpython-313.pyc"',
         {"app/__pycache__/x.cpython-313.pyc": pyc()}),
    case("bytecode", '1 modules source in "opt/sutra", the cleanup left 0',
         {"opt/sutra/lib/x.py": ""}),
    case("bytecode", '1 modules cached in "opt/sutra", the cleanup left 0',
         {"opt/sutra/lib/x.py": "", CACHED: pyc(source=b"")}),
    case("bytecode", '2 modules sourceless in "opt/sutra", the cleanup left 1',
         {"opt/sutra/lib/x.pyc": pyc()}),
    case("bytecode", 'report of a cleanup cannot be read "usr/share/sutra/cleanup.json" '
         "(+1 more)",
         {"usr/share/sutra/cleanup.json": "{}"}),
    case("bytecode", 'Python tree without the report of a cleanup "usr/lib/python3.13"',
         {"usr/lib/python3.13/os.pyc": pyc(), "var/lib/dpkg/status.d/p": "Package: p\n",
          "var/lib/dpkg/status.d/p.md5sums": "0  usr/lib/python3.13/os.py\n",
          "usr/share/doc/p/copyright": ""}),
    case("bytecode", f'Python tree without the report of a cleanup "{SITE}"',
         without="usr/share/sutra"),
    case("bytecode", 'Python tree without the report of a cleanup "opt/sutra2/lib"',
         {"opt/sutra2/lib/two-1.0.dist-info/METADATA": "Name: two\nLicense: MIT\n",
          "opt/sutra2/lib/two-1.0.dist-info/RECORD": ""}),
    case("bytecode", 'report of a cleanup cannot be read "usr/share/sutra/x.json"',
         {"usr/share/sutra/x.json": json.dumps({**REPORT, "tree": "/"})}),
    case("rights", 'set-uid "app/x"', {"app/x": Item(mode=0o4755)}),
    case("rights", 'set-gid "app/x"', {"app/x": Item(mode=0o2755)}),
    case("rights", 'writable by everybody "app/x"', {"app/x": Item(mode=0o646)}),
    case("rights", 'writable by everybody "app"', {"app": Item(kind="folder", mode=0o777)}),
    case("rights", 'device "app/x"', {"app/x": Item(kind="device")}),
    case("rights", 'fifo "app/x"', {"app/x": Item(kind="fifo")}),
    case("user", "no USER, so root", User=""),
    case("user", 'USER is not a number "sutra"', User="sutra"),
    case("user", 'USER is root "0:10001"', User="0:10001"),
    case("user", 'USER is not in etc/passwd "7:10001"', User="7:10001"),
    case("user", 'USER is not in etc/group "10001:7"', User="10001:7"),
    case("secrets", 'private key "app/x"', {"app/x": RSA}),
    case("secrets", 'private key "app/x"', {"app/x": bytes(3 << 20) + RSA.encode()}),
    case("secrets", 'private key "app/x"', {"app/x": elf(text=bytes(1 << 20) + RSA.encode())}),
    case("secrets", 'environment file "app/.env"', {"app/.env": "A=b\n"}),
    case("secrets", 'credentials file "root/.netrc"', {"root/.netrc": "machine x\n"}),
    case("secrets", 'credentials file "root/.pypirc"', {"root/.pypirc": "[pypi]\n"}),
    case("secrets", 'credentials in a URL "etc/pip.conf"',
         {"etc/pip.conf": "[global]\nindex-url = https://u:p@example.org/simple\n"}),
    case("secrets", 'cloud key "app/x"', {"app/x": AWS}),
    case("secrets", 'value of "API_TOKEN" in "env:API_TOKEN"',
         Env=["PATH=/usr/bin", "API_TOKEN=abc"]),
    case("secrets", 'value of "DJANGO_SECRET_KEY" in "env:DJANGO_SECRET_KEY"',
         Env=["PATH=/usr/bin", "DJANGO_SECRET_KEY=abc"]),
    case("secrets", 'cloud key in "label:note"', Labels={"note": AWS}),
    case("secrets", 'credentials in a URL in "history:2"',
         history=("", "RUN |1 PIP_INDEX_URL=https://u:p@example.org/simple pip install x")),
    case("certificates", 'certificate of unknown origin in "app/x.pem"', {"app/x.pem": PEM}),
    case("certificates", 'certificate of unknown origin in "app/x.der"', {"app/x.der": DER}),
    case("certificates", f'certificate of unknown origin in "{SITE}/one/__init__.pyc"',
         {f"{SITE}/one/__init__.pyc": pyc() + PEM}),
    case("certificates", 'certificate of unknown origin in "etc/ssl/cert.pem"',
         {"etc/ssl/cert.pem": ROOT_CA + PEM, APK: apk_of(ROOT_CA)}),
    case("certificates", 'certificate of unknown origin in "app/x.pem"',
         {"app/x.pem": PEM,
          "var/lib/dpkg/status.d/ca-certificates": "Package: ca-certificates\n",
          "usr/share/doc/ca-certificates/copyright": "",
          "var/lib/dpkg/status.d/ca-certificates.md5sums": "0  usr/share/x.crt\n"}),
    case("command", "no command", Cmd=None),
    case("command", 'command is in shell form "/bin/sh -c python3"',
         Cmd=["/bin/sh", "-c", "python3"]),
    case("command", 'command is in shell form "sh -ec x"', Cmd=["sh", "-ec", "x"]),
    case("command", 'command is in shell form "busybox sh -c x"', Cmd=["busybox", "sh", "-c", "x"]),
    case("command", 'command is in shell form "bash -o pipefail -e -c x"',
         Cmd=["bash", "-o", "pipefail", "-e", "-c", "x"]),
    case("command", 'command not found "sh"', Cmd=["sh", "x", "-c"]),
    case("command", 'command not found "bash"', Cmd=["bash", "--norc", "x"]),
    case("command", 'command not found "python4"', Cmd=["python4"]),
    case("command", 'command not found "app/python3"', Entrypoint=["app/python3"]),
    case("command", 'command is not executable for the image\'s user "/app/x"',
         {"app/x": Item(mode=0o744)}, Cmd=["/app/x"]),
    case("healthcheck", "no HEALTHCHECK", Healthcheck=None),
    case("healthcheck", "no HEALTHCHECK", Healthcheck={"Test": ["NONE"]}),
    case("healthcheck", 'healthcheck is in shell form "curl localhost"',
         Healthcheck={"Test": ["CMD-SHELL", "curl localhost"]}),
    case("healthcheck", 'healthcheck not found "curl"', Healthcheck={"Test": ["CMD", "curl"]}),
    case("scripts", 'interpreter not found "/bin/sh -e", of "app/x"',
         {"app/x": program(b"#!/bin/sh -e\n")}),
    case("labels", 'no label "org.opencontainers.image.version"',
         Labels={"org.opencontainers.image.version": ""}),
    case("labels", 'label org.opencontainers.image.title is not the image\'s name "x"',
         Labels={"org.opencontainers.image.title": "x"}),
    case("labels",
         'label org.opencontainers.image.revision is not what it should be "unknown"',
         Labels={"org.opencontainers.image.revision": "unknown"}),
    case("records", f'no RECORD of a distribution "{SITE}/two-1.0.dist-info"',
         {f"{SITE}/two-1.0.dist-info/METADATA": "Name: two\nLicense: MIT\n"}),
    case("records", f'no METADATA of a distribution "{SITE}/two-1.0.dist-info" (+1 more)',
         {f"{SITE}/two-1.0.dist-info/RECORD": ""}),
    case("records", f'of no distribution "{SITE}/two.json"', {f"{SITE}/two.json": ""}),
    case("records", f'of no package "{LIB}/libz.so.1"', {f"{LIB}/libz.so.1": ""}),
    case("records", 'of no package "usr/local/bin/x"', {"usr/local/bin/x": elf()}),
    case("records", 'of no package "usr/local/lib/x.so"', {"usr/local/lib/x.so": elf()}),
    case("records", 'of no package "opt/sutra/bin/x"', {"opt/sutra/bin/x": elf()}),
    case("records", 'of no package "opt/x/bin/x"', {"opt/x/bin/x": elf()}),
    case("records", f'no installed-files.txt of a distribution "{EGG}"',
         {f"{EGG}/PKG-INFO": "Name: old\nLicense: MIT\n"}),
    case("records", f'no installed-files.txt of a distribution "{EGG}" (+1 more)', {EGG: ""}),
    case("licences", f'no licence of distribution "{EGG}"',
         {f"{EGG}/PKG-INFO": "Name: old\n", f"{EGG}/installed-files.txt": "PKG-INFO\n"}),
    case("licences", 'no licence of package "libc6"', without="usr/share/doc"),
    case("licences", f'licence not found "{SITE}/one-1.0.dist-info/licenses/LICENSE"',
         without=f"{SITE}/one-1.0.dist-info/licenses"),
    case("licences", f'no licence of distribution "{SITE}/two-1.0.dist-info"',
         {f"{SITE}/two-1.0.dist-info/METADATA": "Name: two\n",
          f"{SITE}/two-1.0.dist-info/RECORD": "two.txt,,\n"}),
    case("licences", 'no licence of package "musl"', {APK: "P:musl\nV:1\n\nP:zlib\nL:Zlib\n"}),
    case("licences", 'no licence of the crates in "app/x"',
         {"app/x": elf(text=b"library/core/src/")}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "message", "image"), FAILING)
def test_what_a_rule_forbids_fails_that_rule_alone(
    rule: str, message: str, image: Made, tmp_path: Path
) -> None:
    found = verify(tmp_path, image)
    assert details(found, tmp_path) == [f"images.yaml: images.{NAME}.contents.{rule}: {message}"]


def test_the_names_that_images_yaml_may_use_are_the_rules() -> None:
    assert tuple(rule.name for rule in RULES) == NAMES
    assert tuple(rule.name for rule in RULES if rule.unit == "bytes") == IN_BYTES


def test_every_rule_has_an_image_that_fails_it() -> None:
    # a layer more, and a certificate of the builders: below; "hardened": test_planted_faults
    assert {item.values[0] for item in FAILING} | {"wasted", "hardened"} == set(NAMES)


def passing(what: str, files: dict[str, Any] | None = None, **how: Any) -> Any:
    return pytest.param(good(files, **how), id=what)


@pytest.mark.parametrize(
    "image",
    [
        passing("a tool's name without the right to execute it", {"app/make": "", "app/sh": ""}),
        passing("a link of such a name outside of bin", {"app/make": link("x")}),
        passing("a name that a tool's only resembles",
                {**exe("app/molder"), **exe("app/libclang"), **exe("app/wlld"),
                 **exe("app/ld.so"), "app/clang": ""}),
        passing("what pip reads and what is called after it",
                {"etc/pip/pip.conf": "", "app/pipeline.pyz": "", "app/pip.whl": "",
                 "app/my_pip/x.pyc": pyc()}),
        passing("a module called docs, and what is like a README",
                {"app/docs/__init__.pyc": pyc(), "app/history.pyc": pyc(), "app/changes.json": "",
                 "app/docs.json": ""}),
        passing("a library of our own elsewhere, a Rust program with licences",
                {"app/bin/x": elf(), "usr/local/bin/x": elf(text=b"library/core/src/"),
                 "usr/share/licenses/x/y": ""}),
        passing("an egg-info with its record",
                {f"{EGG}/PKG-INFO": "Name: old\nLicense: MIT\n", f"{SITE}/old.json": "",
                 f"{EGG}/installed-files.txt": "PKG-INFO\n../old.json\n"}),
        passing("an egg-info of a package",
                {"usr/lib/old.egg-info": "", "var/lib/dpkg/status.d/p": "Package: p\n",
                 "var/lib/dpkg/status.d/p.md5sums": "0  usr/lib/old.egg-info\n",
                 "usr/share/doc/p/copyright": "",
                 "usr/share/sutra/x.json": json.dumps(
                     {"tree": "/usr/lib", "compiled": dict.fromkeys(
                         ("source", "cached", "sourceless"), 0)})}),
        passing("a licence in Markdown", {f"{SITE}/one-1.0.dist-info/LICENSE.md": ""}),
        passing("a folder called tests", {"app/tests": Item(kind="folder", mode=0o755)}),
        passing("a copyright file", {"usr/share/doc/libc6/copyright": ""}),
        passing("a static program", {"app/x": elf()}),
        passing("a library found by $ORIGIN", {"app/x": elf(["l.so"], runpath="$ORIGIN/lib"),
                                               "app/lib/l.so": elf(soname="l.so")}),
        passing("bytecode with the time and size of its source",
                {"app/x.py": Item(b"1", mtime=7), "app/x.pyc": pyc(flags=0, mtime=7, size=1)}),
        passing("bytecode with the hash of its source",
                {"app/x.py": "1", "app/x.pyc": pyc(flags=3, source=b"1"),
                 "app/__pycache__/x.cpython-313.pyc": pyc(source=b"1")}),
        passing("modules as their cleanup left them",
                {"opt/sutra/lib/x.py": "", "opt/sutra/lib/y.py": "", CACHED: pyc(source=b""),
                 "usr/share/sutra/cleanup.json": json.dumps(
                     {**REPORT, "compiled": {"sourceless": 1, "cached": 1, "source": 1}})}),
        passing("a standard library that a cleanup reports",
                {"opt/py/lib/python3.13/os.pyc": pyc(), "usr/share/sutra/cleanup-base.json":
                 json.dumps({**REPORT, "tree": "/opt/py/lib/python3.13"})}),
        passing("a module called os without a standard library",
                {"app/os.pyc": pyc(), "app/python/os.pyc": pyc()}),
        passing("a sticky folder", {"app/tmp": Item(kind="folder", mode=0o1777)}),
        passing("a user without a group", User="10001"),
        passing("an example of an environment file", {"app/.env.example": "A=b\n"}),
        passing("a public key and a key's name far behind", {"app/x": bytes(3 << 20) + (
            RSA.replace("RSA PRIVATE", "PUBLIC") + "-----BEGIN RSA PRIVATE KEY-----").encode()}),
        passing("pip.conf without credentials", {"etc/pip.conf": "[global]\nno-input = true\n"}),
        passing("a secret that is only named",
                Env=["PATH=/usr/bin", "TOKEN_FILE=/run/secrets/x", "DB_PASSWORD=/run/secrets/y",
                     "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", "GPG_KEY=abc"],
                history=("RUN --mount=type=secret,id=token cat", "RUN |1 TOKEN=$X true")),
        passing("a script with its interpreter", {"app/x": program(b"#!/usr/bin/python3\n")}),
        passing("a dead script that nobody may execute", {"app/x": "#!/bin/sh\n"}),
        passing("a command relative to the working folder", {"app/x": program(elf())},
                Cmd=["./x"], WorkingDir="/app"),
        passing("a command for its group alone", {"app/x": Item(elf(), mode=0o750, gid=10001)},
                Cmd=["/app/x"]),
        passing("a Rust program with its licences",
                {"app/x": elf(text=b"library/core/src/"), "usr/share/licenses/x/y": ""}),
        passing("Alpine's record with licences", {APK: "P:zlib\nL:Zlib\n"}),
        passing("a root certificate of certifi's", {"app/x.pem": ROOT_CA}),
        passing("a certificate that a distribution records",
                {BUNDLE: PEM, f"{SITE}/one-1.0.dist-info/RECORD": RECORD + record_of(PEM)}),
        passing("a certificate that Alpine records",
                {"etc/ssl/cert.pem": PEM, APK: apk_of(PEM)}),
        passing("a certificate of Debian's whole database",
                {"etc/ssl/cert.pem": PEM, "usr/share/doc/ca-certificates/copyright": "",
                 "var/lib/dpkg/status": "Package: ca-certificates\n",
                 "var/lib/dpkg/info/ca-certificates.md5sums":
                 f"{secret_scan.fingerprint(DER)}  usr/share/x.crt\n"}),
    ],
)  # fmt: skip
def test_what_is_near_to_it_passes(image: Made, tmp_path: Path) -> None:
    assert details(verify(tmp_path, image), tmp_path) == []


def later(files: dict[str, Any], image: Made | None = None) -> Made:
    """Return the good image with one more layer on top."""
    image = image or good()
    return Made([*image.layers, files], image.config)


def key(rule: str) -> str:
    return f"images.yaml: images.{NAME}.contents.{rule}: "


def test_a_secret_that_a_later_layer_removes_is_still_there(tmp_path: Path) -> None:
    image = later({"app/.wh.id_rsa": ""}, good({"app/id_rsa": RSA}))
    assert details(verify(tmp_path, image), tmp_path) == [
        key("secrets") + 'private key "app/id_rsa", removed, but still in a layer',
        key("wasted") + f'overwritten or removed by a later layer "app/id_rsa", {len(RSA)} bytes '
        "in all, 0 allowed",
    ]


def test_a_certificate_of_the_builders_is_found_in_any_layer(tmp_path: Path) -> None:
    private = frozenset({secret_scan.fingerprint(DER)})
    found = verify(tmp_path, good({f"{SITE}/one/__init__.pyc": pyc() + PEM}), private=private)
    path = f"{SITE}/one/__init__.pyc"
    assert details(found, tmp_path) == [
        key("certificates") + f'certificate of the builders in "{path}"'
    ]


def test_a_certificate_that_was_added_to_a_recorded_bundle_is_of_unknown_origin(
    tmp_path: Path,
) -> None:
    files = {BUNDLE: ROOT_CA + PEM, f"{SITE}/one-1.0.dist-info/RECORD": RECORD + record_of(ROOT_CA)}
    assert details(verify(tmp_path, good(files)), tmp_path) == [
        key("certificates") + f'certificate of unknown origin in "{BUNDLE}"',
        key("records") + f'not as its distribution recorded it "{BUNDLE}"',
    ]


def test_a_certificate_in_its_packages_record_is_nobodys_secret(tmp_path: Path) -> None:
    mark = secret_scan.fingerprint(DER)
    files = {
        "etc/ssl/certs/ca-certificates.crt": PEM,
        "var/lib/dpkg/status.d/ca-certificates": "Package: ca-certificates\n",
        "var/lib/dpkg/status.d/ca-certificates.md5sums": f"{mark}  usr/share/x.crt\n",
        "usr/share/doc/ca-certificates/copyright": "",
    }
    found = verify(tmp_path, good(files), private=frozenset({mark}))
    assert details(found, tmp_path) == []


@pytest.mark.parametrize(("limit", "ok"), [(1001, True), (1000, True), (999, False)])
def test_wasted_bytes_equal_to_the_limit_are_within_it(
    limit: int, ok: bool, tmp_path: Path
) -> None:
    image = later({"app/x": b"2"}, good({"app/x": bytes(1000)}))
    contents = f"    contents: {{wasted: {{limit: {limit} B, because: a test}}}}\n"
    found = verify(tmp_path, image, promise(tmp_path, contents))
    (wasted,) = (one for one in found if one.name == "contents.wasted")
    assert (wasted.ok, wasted.actual, wasted.limit, wasted.unit) == (ok, 1000, limit, "bytes")
    assert details(found, tmp_path) == (
        []
        if ok
        else [
            key("wasted")
            + 'overwritten or removed by a later layer "app/x", 1000 bytes in all, 999 allowed'
        ]
    )


# ---- exceptions ------------------------------------------------------------


def waived(folder: Path, image: Made, contents: str, rule: str) -> CheckResult:
    promises = promise(folder, f"    contents:\n      {rule}: {contents}\n")
    (found,) = (one for one in verify(folder, image, promises) if one.name == f"contents.{rule}")
    return found


def said(found: CheckResult, folder: Path) -> str:
    return found.detail.replace(f"{folder}/", "")


def test_a_rule_that_is_off_passes_and_says_why(tmp_path: Path) -> None:
    found = waived(tmp_path, good(exe("app/sh")), "{skip: true, because: an old tool}", "shells")
    assert (found.ok, found.actual) == (True, 0)
    assert said(found, tmp_path) == key("shells") + "skipped: an old tool"


def test_an_allowed_path_passes_and_says_why(tmp_path: Path) -> None:
    contents = "{allow: [./app/sh], because: an old tool}"
    found = waived(tmp_path, good(exe("app/sh")), contents, "shells")
    assert (found.ok, found.actual) == (True, 0)
    assert said(found, tmp_path) == key("shells") + "1 allowed: an old tool"


def test_what_is_not_among_the_allowed_paths_still_fails(tmp_path: Path) -> None:
    image = good({**exe("app/sh"), **exe("app/dash")})
    found = waived(tmp_path, image, "{allow: [./app/sh], because: an old tool}", "shells")
    assert (found.ok, found.actual) == (False, 1)
    assert said(found, tmp_path) == key("shells") + 'forbidden "app/dash"'


def test_an_allowance_that_nothing_needs_fails(tmp_path: Path) -> None:
    contents = "{allow: [./app/sh, ./app/gone], because: an old tool}"
    found = waived(tmp_path, good(exe("app/sh")), contents, "shells")
    assert (found.ok, found.actual) == (False, 1)
    assert said(found, tmp_path) == key("shells") + 'allows what is not there "./app/gone"'


@pytest.mark.parametrize(("distribution", "ok"), [("debian", True), ("alpine", False)])
def test_an_exception_holds_for_its_distribution_alone(
    distribution: str, ok: bool, tmp_path: Path
) -> None:
    contents = f"{{allow: [./app/apk], distribution: {distribution}, because: its own tool}}"
    found = waived(tmp_path, good(exe("app/apk")), contents, "package-managers")
    assert found.ok == ok
    assert said(found, tmp_path) == key("package-managers") + (
        "1 allowed: its own tool" if ok else 'forbidden "app/apk"'
    )


def test_an_allowance_for_another_distribution_may_be_idle(tmp_path: Path) -> None:
    contents = "{allow: [./app/apk], distribution: alpine, because: its own tool}"
    found = waived(tmp_path, good(), contents, "package-managers")
    assert (found.ok, found.detail) == (True, "")


BASE = (
    "  sutra-base:\n    budget: {installed: 1 MB, download: 1 MB}\n    contents:\n"
    "      shells: {allow: [./app/sh], because: a base}\n"
    "      healthcheck: {skip: true, because: a base}\n"
)
ON_BASE = {"org.opencontainers.image.base.name": "sutra-base:prod"}


def test_what_a_base_allows_holds_for_what_is_built_on_it(tmp_path: Path) -> None:
    image = good(exe("app/sh"), Labels=ON_BASE)
    assert details(verify(tmp_path, image, promise(tmp_path, more=BASE)), tmp_path) == []
    assert details(verify(tmp_path, good(), promise(tmp_path, more=BASE)), tmp_path) == []


def test_what_a_base_switches_off_does_not(tmp_path: Path) -> None:
    image = good(Labels=ON_BASE, Healthcheck=None)
    assert details(verify(tmp_path, image, promise(tmp_path, more=BASE)), tmp_path) == [
        key("healthcheck") + "no HEALTHCHECK"
    ]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("shels: {skip: true, because: x}", 'unknown key "shels", did you mean "shells"?'),
        ("shells: {}", 'one of skip, allow and limit, not "none"'),
        ("shells: {skip: true, allow: [a], because: x}",
         'one of skip, allow and limit, not "skip and allow"'),
        ("shells: {skip: false, because: x}", 'skip: not true "False"'),
        ("shells: {skip: true}", "because: missing"),
        ("shells: {skip: true, because: ''}", 'because: not a text ""'),
        ("shells: {skp: true, because: x}", 'unknown key "skp", did you mean "skip"?'),
        ("shells: {allow: [], because: x}", 'allow: not a list of paths "[]"'),
        ("shells: {allow: a, because: x}", 'allow: not a list of paths "a"'),
        ("shells: {allow: [1], because: x}", 'allow[0]: not a path "1"'),
        ("shells: {allow: [a, /x], because: x}", 'allow[1]: absolute: "/x"'),
        ("shells: {allow: ['**'], because: x}", 'allow[0]: matches everything: "**"'),
        ("shells: {limit: 1 MB, because: x}",
         'limit: only for a rule that counts bytes, which is not "shells"'),
        ("wasted: {limit: 1, because: x}", 'limit: not a size such as "50 MB": "1"'),
        ("shells: {skip: true, because: x, distribution: 1}", 'distribution: not a text "1"'),
    ],
)  # fmt: skip
def test_a_wrong_exception_is_refused(contents: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SutraError) as caught:
        promise(tmp_path, f"    contents: {{{contents}}}\n")
    where = "" if "shels" in contents else "." + contents.partition(":")[0]
    separator = "." if re.match(r"[a-z]+(\[\d\])?: ", message) else ": "
    assert caught.value.message == (
        f"{tmp_path}/images.yaml: images.{NAME}.contents{where}{separator}{message}"
    )
    assert caught.value.tip == f"fix {tmp_path}/images.yaml, then run the same command again"


# ---- the command -----------------------------------------------------------


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(verify_contents, "private_certificates", frozenset)
    return front_door(["verify-contents", *words])


def test_an_archive_is_judged_as_the_entry_without_an_engine(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(folder)
    good().save(folder / "image.tar")
    form = ("--format", "markdown")
    assert command(monkeypatch, "archive:./image.tar", "--as", NAME, *form) == 0
    out, err = capsys.readouterr()
    assert out == (
        "| image | check | actual | limit | ok |\n"
        "|---|---|--:|--:|---|\n"
        f"| {NAME} | {len(RULES)} without findings | 0 | 0 | ok |\n"
    )
    assert err == "contents: archive:./image.tar\n"


def test_a_rule_that_is_broken_ends_with_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(folder)
    good(exe("app/sh")).save(folder / "image.tar")
    assert command(monkeypatch, "image.tar", "--as", NAME, "--format", "json") == 1
    out, err = capsys.readouterr()
    assert [one["name"] for one in json.loads(out) if not one["ok"]] == ["contents.shells"]
    assert err == (
        f'contents: image.tar\n{key("shells")}forbidden "app/sh"\n'
        f"tip: .venv/bin/python -m scripts verify-contents image.tar --as {NAME} --all\n"
    )


def test_all_findings_are_printed_when_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(folder)
    good({**exe("app/sh"), **exe("app/dash")}).save(folder / "an image.tar")
    assert command(monkeypatch, "an image.tar", "--as", NAME, "--all") == 1
    assert capsys.readouterr().err == (
        "contents: an image.tar\n"
        f'{key("shells")}forbidden "app/sh"\n'
        f'{key("shells")}forbidden "app/dash"\n'
        "tip: fix the image, or allow it in images.yaml with a reason: docs/verification.md\n"
    )
    assert tip(NAME, "an image.tar") == (
        f"tip: .venv/bin/python -m scripts verify-contents 'an image.tar' --as {NAME} --all"
    )


@pytest.mark.parametrize(("count", "last"), [
    (1000, 'forbidden "app/999.h"'),
    (1001, "1 more, which are not kept"),
])  # fmt: skip
def test_findings_that_are_kept_have_an_end(count: int, last: str, tmp_path: Path) -> None:
    found = verify(tmp_path, good({f"app/{n}.h": "" for n in range(count)}))
    (headers,) = (one for one in found if not one.ok)
    assert headers.actual == count
    assert headers.findings[:2] == ('forbidden "app/0.h"', 'forbidden "app/1.h"')
    assert len(headers.findings) == min(count, 1001)
    assert headers.findings[-1] == last
    assert headers.detail.endswith(f'forbidden "app/0.h" (+{count - 1} more)')


@pytest.mark.parametrize("words", [["x:y"], ["--as", NAME]])
def test_a_reference_and_a_name_go_together(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command(monkeypatch, *words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith("error: a reference and --as NAME go together\n")


def test_an_image_that_is_not_there_is_said_to_be_not_built(
    engine: FakeEngine, tmp_path: Path
) -> None:
    promises = promise(tmp_path)
    with pytest.raises(SutraError) as caught:
        verify_contents.verify_one(cast(Any, engine), promises, promises.find(NAME), f"{NAME}:prod")
    assert caught.value.message == f'{promises.path}: images.{NAME}: not built "{NAME}:prod"'
    assert caught.value.tip == "run `make build`"


def test_private_are_certificates_that_the_machine_trusts_and_nobody_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, own = DER[:-1] + b"\0", DER
    bundle, shipped = tmp_path / "bundle.pem", tmp_path / "shipped"
    bundle.write_bytes(Path(certifi.where()).read_bytes() + PEM + pem(public))
    (shipped / "mozilla").mkdir(parents=True)
    (shipped / "mozilla" / "x.crt").write_bytes(pem(public))
    monkeypatch.setenv("CA_BUNDLE", str(bundle))
    monkeypatch.setattr(verify_contents, "SHIPPED", shipped)
    assert verify_contents.private_certificates() == {secret_scan.fingerprint(own)}


# ---- hostile images --------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
KEYS = ["User", "Env", "Labels", "Entrypoint", "Cmd", "Healthcheck", "WorkingDir"]


@given(st.dictionaries(st.sampled_from(KEYS), JSON), JSON)
def test_no_configuration_makes_a_rule_fail_to_judge(config: dict[str, Any], history: Any) -> None:
    image = inventory.Inventory("x", "x", "amd64", {"config": config, "history": history}, ())
    promises = Catalog(Path("images.yaml"), (Image("x", Budget(1, 1)),), Budget(1, 1))
    found = verify_contents.judge(promises, promises.images[0], image)
    assert [one.name for one in found] == [f"contents.{rule.name}" for rule in RULES]
    assert all("\n" not in one.detail for one in found)


def test_a_very_long_number_is_no_user(tmp_path: Path) -> None:
    found = verify(tmp_path, good(User="1" * 5000))
    assert details(found, tmp_path) == [key("user") + f'USER is not a number "{"1" * 200}"']


def test_a_record_that_is_no_csv_records_nothing(tmp_path: Path) -> None:
    record = f"{SITE}/one-1.0.dist-info/RECORD"
    found = verify(tmp_path, good({record: '"' + "x" * 200_000}))
    assert details(found, tmp_path) == [
        key("records") + f'of no distribution "{SITE}/one/__init__.pyc" (+1 more)',
        key("licences") + f'no licence of distribution "{SITE}/one-1.0.dist-info"',
    ]
