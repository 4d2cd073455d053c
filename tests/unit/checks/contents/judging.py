"""Helpers of the rules' tests: judge a fixture image, and plant files in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar

import certifi
import pytest

from scripts.catalog import catalog
from scripts.catalog.catalog import Catalog
from scripts.checks.contents import verify as verify_contents
from scripts.checks.contents.rule import Rule
from scripts.common.check_result import CheckResult
from scripts.image import inventory, secret_scan
from tests.support.fixture_images import Made, elf, program
from tests.support.good_image import NAME, SITE, good

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
    contents = inventory.read(None, f"archive:{path}", folder / "cache")
    assert contents
    return verify_contents.judge(promises, promises.find(NAME), contents, private)


def details(results: Sequence[CheckResult], folder: Path) -> list[str]:
    """Return the lines of the failed results, without the catalogue's folder."""
    return [result.detail.replace(f"{folder}/", "") for result in results if not result.ok]


def case(rule: str, message: str, files: dict[str, Any] | None = None, **how: Any) -> Any:
    return pytest.param(rule, message, good(files, **how), id=f"{rule}: {message}"[:80])


def exe(path: str) -> dict[str, Any]:
    """A program that only its name and its mode give away."""
    return {path: program(elf())}


def passing(what: str, files: dict[str, Any] | None = None, **how: Any) -> Any:
    return pytest.param(good(files, **how), id=what)


def later(files: dict[str, Any], image: Made | None = None) -> Made:
    """Return the good image with one more layer on top."""
    image = image or good()
    return Made([*image.layers, files], image.config)


def key(rule: str) -> str:
    return f"images.yaml: images.{NAME}.contents.{rule}: "


class Forbids:
    """Tests of what a family of rules forbids; a subclass names the rules and images."""

    rules: ClassVar[Collection[Rule]]
    failing: ClassVar[Sequence[Any]]  # each a `case`
    # rules whose images are in another file
    elsewhere: ClassVar[Collection[str]] = ()

    def test_what_a_rule_forbids_fails_that_rule_alone(
        self, rule: str, message: str, image: Made, tmp_path: Path
    ) -> None:
        assert details(verify(tmp_path, image), tmp_path) == [key(rule) + message]

    def test_every_rule_has_an_image_that_fails_it(self) -> None:
        here = {item.values[0] for item in self.failing}
        assert here | set(self.elsewhere) == {rule.name for rule in self.rules}


class Passes:
    """Test of images that almost break such a rule, and pass."""

    passing: ClassVar[Sequence[Any]]  # each a `passing`

    def test_what_is_near_to_it_passes(self, image: Made, tmp_path: Path) -> None:
        assert details(verify(tmp_path, image), tmp_path) == []
