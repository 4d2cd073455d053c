"""Rules against leaks from the builders: secrets and private certificates, in any layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING

from scripts.checks.contents.recorded import alpine_packages, hexadecimal, recorded_hashes
from scripts.checks.contents.rule import Finding, Rule, Subject, quoted
from scripts.image import secret_scan

if TYPE_CHECKING:
    from scripts.image.inventory import Entry

RECORDS = (
    "var/lib/dpkg/status.d/ca-certificates.md5sums",
    "var/lib/dpkg/info/ca-certificates.md5sums",
)


def leaked(subject: Subject) -> Iterator[Finding]:
    """Find secrets in files of every layer, also removed ones, and in the configuration.

    What is found is named, never shown.
    """
    for layer in subject.image.layers:
        for entry in layer.entries:
            for kind in entry.secrets:
                if not kind.startswith(secret_scan.CERTIFICATE):
                    visible = subject.files.get(entry.path)
                    hidden = visible is None or visible.digest != entry.digest
                    where = ", removed, but still in a layer" if hidden else ""
                    yield Finding(entry.path, f"{kind} {quoted(entry.path)}{where}")
    for place, text in _lines(subject):
        for kind in secret_scan.find_text(text):
            yield Finding(place, f"{kind} in {quoted(place)}")


def _lines(subject: Subject) -> Iterator[tuple[str, str]]:
    """Yield each line of the configuration with its place: ("env:TOKEN", "TOKEN=…")."""
    for name, value in subject.environment.items():
        yield f"env:{name}", f"{name}={value}"
    for name, value in subject.labels.items():
        yield f"label:{name}", f"{name}={value}"
    yield "command", " ".join(subject.command)
    yield "healthcheck", " ".join(subject.healthcheck)
    for number, step in enumerate(subject.history, 1):
        yield f"history:{number}", step


def certificates(subject: Subject) -> Iterator[Finding]:
    """Find certificates that only the builders trust, or of which nobody says whose they are.

    Debian's record of ca-certificates has the MD5 of each certificate; Alpine's records and
    those of a Python distribution (certifi) have a hash of the file that holds them.
    """
    lines = (line for path in RECORDS for line in (subject.image.text(path) or "").splitlines())
    shipped = {line.split()[0] for line in lines if line.strip()}
    holders = {
        entry.path for layer in subject.image.layers for entry in layer.entries if entry.secrets
    }
    recorded = chain(_alpine(subject).items(), recorded_hashes(subject))
    hashes = {path: digest for path, digest in recorded if path in holders}
    for layer in subject.image.layers:
        for entry in layer.entries:
            for kind in entry.secrets:
                fingerprint = kind.removeprefix(secret_scan.CERTIFICATE)
                if fingerprint == kind or fingerprint in shipped:
                    continue
                where = f"in {quoted(entry.path)}"
                if fingerprint in subject.private:
                    yield Finding(entry.path, f"certificate of the builders {where}")
                elif fingerprint not in subject.public and not _as_recorded(entry, hashes):
                    yield Finding(entry.path, f"certificate of unknown origin {where}")


def _as_recorded(entry: Entry, hashes: Mapping[str, str]) -> bool:
    return hashes.get(entry.path) in (entry.digest, f"sha1:{entry.sha1}")


def _alpine(subject: Subject) -> dict[str, str]:
    """Return "sha1:…" by path of apk's database."""
    return {
        path: f"sha1:{hexadecimal(value.removeprefix('Q1'))}"
        for package in alpine_packages(subject)
        for path, value in package.files.items()
        if value.startswith("Q1")
    }


RULES = (
    Rule(
        "secrets",
        "no private key, token, cloud key or credentials in a file of any layer, also not one "
        "that a later layer removes, nor in ENV, labels, commands or the history",
        leaked,
    ),
    Rule(
        "certificates",
        "no certificate that only the builders trust, and none that is neither in certifi's bundle "
        "nor recorded by a package",
        certificates,
    ),
)
