"""What must stay with the builders: secrets and private certificates, in any layer."""

from __future__ import annotations

from collections.abc import Iterator

from scripts import secrets
from scripts.contents.rule import Finding, Rule, Subject, quoted

RECORD = "var/lib/dpkg/status.d/ca-certificates.md5sums"


def leaked(subject: Subject) -> Iterator[Finding]:
    """Find secrets in files of every layer, also removed ones, and in the configuration.

    What is found is named, never shown.
    """
    for layer in subject.image.layers:
        for entry in layer.entries:
            for kind in entry.secrets:
                if not kind.startswith(secrets.CERTIFICATE):
                    seen = subject.files.get(entry.path)
                    hidden = seen is None or seen.digest != entry.digest
                    where = ", removed, but still in a layer" if hidden else ""
                    yield Finding(entry.path, f"{kind} {quoted(entry.path)}{where}")
    for place, text in _lines(subject):
        for kind in secrets.find_text(text):
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
    """Find certificates that only the builders trust, or that no package ships.

    Debian's record of ca-certificates has the MD5 of each certificate; a Python
    distribution (certifi) brings its own.
    """
    shipped = {line.split()[0] for line in (subject.image.text(RECORD) or "").splitlines() if line}
    owners = subject.image.owners()
    for layer in subject.image.layers:
        for entry in layer.entries:
            for kind in entry.secrets:
                found = kind.removeprefix(secrets.CERTIFICATE)
                if found == kind or found in shipped:
                    continue
                owner = owners.get(entry.path)
                where = f"in {quoted(entry.path)}"
                if found in subject.private:
                    yield Finding(entry.path, f"certificate of the builders {where}")
                elif shipped and not (owner and owner.kind == "python"):
                    yield Finding(entry.path, f"certificate of no package {where}")


RULES = (
    Rule(
        "secrets",
        "no private key, token, cloud key or credentials in a file of any layer, also not one "
        "that a later layer removes, nor in ENV, labels, commands or the history",
        leaked,
    ),
    Rule(
        "certificates",
        "no certificate that only the builders trust, and none that no package ships",
        certificates,
    ),
)
