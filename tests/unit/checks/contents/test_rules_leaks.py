"""Secrets and certificates: what each rule fails, and what passes."""

from __future__ import annotations

from pathlib import Path

from scripts.checks.contents.rules_leaks import RULES
from scripts.image import secret_scan
from tests.support.fixture_images import Item, elf, pyc
from tests.support.good_image import RECORD, SITE, good
from tests.unit.checks.contents.judging import (
    APK,
    AWS,
    BUNDLE,
    DER,
    PEM,
    ROOT_CA,
    RSA,
    Forbids,
    Passes,
    apk_of,
    case,
    details,
    key,
    later,
    passing,
    record_of,
    verify,
)

Files = dict[str, Item | bytes | str]
FAILING = [
    case("secrets", 'private key "app/x"', {"app/x": RSA}),
    case("secrets", 'private key "app/x"', {"app/x": bytes(3 << 20) + RSA.encode()}),
    case("secrets", 'private key "app/x"', {"app/x": elf(text=bytes(1 << 20) + RSA.encode())}),
    case("secrets", 'environment file "app/.env"', {"app/.env": "A=b\n"}),
    case("secrets", 'credentials file "root/.netrc"', {"root/.netrc": "machine x\n"}),
    case("secrets", 'credentials file "root/.pypirc"', {"root/.pypirc": "[pypi]\n"}),
    case(
        "secrets",
        'credentials in a URL "etc/pip.conf"',
        {"etc/pip.conf": "[global]\nindex-url = https://u:p@example.org/simple\n"},
    ),
    case("secrets", 'cloud key "app/x"', {"app/x": AWS}),
    case(
        "secrets", 'value of "API_TOKEN" in "env:API_TOKEN"', Env=["PATH=/usr/bin", "API_TOKEN=abc"]
    ),
    case(
        "secrets",
        'value of "DJANGO_SECRET_KEY" in "env:DJANGO_SECRET_KEY"',
        Env=["PATH=/usr/bin", "DJANGO_SECRET_KEY=abc"],
    ),
    case("secrets", 'cloud key in "label:note"', Labels={"note": AWS}),
    case(
        "secrets",
        'credentials in a URL in "history:2"',
        history=("", "RUN |1 PIP_INDEX_URL=https://u:p@example.org/simple pip install x"),
    ),
    case("certificates", 'certificate of unknown origin in "app/x.pem"', {"app/x.pem": PEM}),
    case("certificates", 'certificate of unknown origin in "app/x.der"', {"app/x.der": DER}),
    case(
        "certificates",
        f'certificate of unknown origin in "{SITE}/one/__init__.pyc"',
        {f"{SITE}/one/__init__.pyc": pyc() + PEM},
    ),
    case(
        "certificates",
        'certificate of unknown origin in "etc/ssl/cert.pem"',
        {"etc/ssl/cert.pem": ROOT_CA + PEM, APK: apk_of(ROOT_CA)},
    ),
    case(
        "certificates",
        'certificate of unknown origin in "app/x.pem"',
        {
            "app/x.pem": PEM,
            "var/lib/dpkg/status.d/ca-certificates": "Package: ca-certificates\n",
            "usr/share/doc/ca-certificates/copyright": "",
            "var/lib/dpkg/status.d/ca-certificates.md5sums": "0  usr/share/x.crt\n",
        },
    ),
]


PASSING = [
    passing("an example of an environment file", {"app/.env.example": "A=b\n"}),
    passing(
        "a public key and a key's name far behind",
        {
            "app/x": bytes(3 << 20)
            + (RSA.replace("RSA PRIVATE", "PUBLIC") + "-----BEGIN RSA PRIVATE KEY-----").encode()
        },
    ),
    passing("pip.conf without credentials", {"etc/pip.conf": "[global]\nno-input = true\n"}),
    passing(
        "a secret that is only named",
        Env=[
            "PATH=/usr/bin",
            "TOKEN_FILE=/run/secrets/x",
            "DB_PASSWORD=/run/secrets/y",
            "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
            "GPG_KEY=abc",
        ],
        history=("RUN --mount=type=secret,id=token cat", "RUN |1 TOKEN=$X true"),
    ),
    passing("a root certificate of certifi's", {"app/x.pem": ROOT_CA}),
    passing(
        "a certificate that a distribution records",
        {BUNDLE: PEM, f"{SITE}/one-1.0.dist-info/RECORD": RECORD + record_of(PEM)},
    ),
    passing("a certificate that Alpine records", {"etc/ssl/cert.pem": PEM, APK: apk_of(PEM)}),
    passing(
        "a certificate of Debian's whole database",
        {
            "etc/ssl/cert.pem": PEM,
            "usr/share/doc/ca-certificates/copyright": "",
            "var/lib/dpkg/status": "Package: ca-certificates\n",
            "var/lib/dpkg/info/ca-certificates.md5sums": (
                f"{secret_scan.fingerprint(DER)}  usr/share/x.crt\n"
            ),
        },
    ),
]


class TestLeaks(Forbids, Passes):
    rules, failing = RULES, FAILING
    passing = PASSING


def test_a_secret_that_a_later_layer_removes_is_still_there(tmp_path: Path) -> None:
    image = later({"app/.wh.id_rsa": ""}, good({"app/id_rsa": RSA}))
    assert details(verify(tmp_path, image), tmp_path) == [
        key("secrets") + 'private key "app/id_rsa", removed, but still in a layer',
        key("wasted") + f'overwritten or removed by a later layer "app/id_rsa", {len(RSA)} bytes '
        "in all, 0 allowed",
    ]


def test_a_certificate_of_the_builders_is_found_in_any_layer(tmp_path: Path) -> None:
    private = frozenset({secret_scan.fingerprint(DER)})
    results = verify(tmp_path, good({f"{SITE}/one/__init__.pyc": pyc() + PEM}), private=private)
    path = f"{SITE}/one/__init__.pyc"
    assert details(results, tmp_path) == [
        key("certificates") + f'certificate of the builders in "{path}"'
    ]


def test_a_certificate_that_was_added_to_a_recorded_bundle_is_of_unknown_origin(
    tmp_path: Path,
) -> None:
    files: Files = {
        BUNDLE: ROOT_CA + PEM,
        f"{SITE}/one-1.0.dist-info/RECORD": RECORD + record_of(ROOT_CA),
    }
    assert details(verify(tmp_path, good(files)), tmp_path) == [
        key("certificates") + f'certificate of unknown origin in "{BUNDLE}"',
        key("records") + f'not as its distribution recorded it "{BUNDLE}"',
    ]


def test_a_certificate_in_its_packages_record_is_nobodys_secret(tmp_path: Path) -> None:
    mark = secret_scan.fingerprint(DER)
    files: Files = {
        "etc/ssl/certs/ca-certificates.crt": PEM,
        "var/lib/dpkg/status.d/ca-certificates": "Package: ca-certificates\n",
        "var/lib/dpkg/status.d/ca-certificates.md5sums": f"{mark}  usr/share/x.crt\n",
        "usr/share/doc/ca-certificates/copyright": "",
    }
    results = verify(tmp_path, good(files), private=frozenset({mark}))
    assert details(results, tmp_path) == []
