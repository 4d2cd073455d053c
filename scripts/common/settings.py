"""Knobs that more than one command reads: a base, certificates, yes or no, whose images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from scripts.common.errors import SutraError
from scripts.common.text import escaped

PROJECT = "sutra"
KNOB = "SUTRA_PROJECT"
# compose reads it, beside docker-compose.yml
FILE = Path(".env")
BASES = ("debian", "alpine")
# compressions of layers in a registry
GZIP, ZSTD = "gzip", "zstd"
# paths of the certificate bundle: Debian and Alpine, Fedora, SUSE
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
)
YES = {"1": True, "yes": True, "true": True, "": False, "0": False, "no": False, "false": False}
# a value in quotes may go over lines; without quotes a comment begins at " #"
ASSIGNED = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*[=:][ \t]*"""
    r"""(?:"((?:\\.|[^"\\])*)"|'([^']*)'|((?:(?![ \t]#)[^\n])*))""",
    re.MULTILINE | re.DOTALL,
)
# project names that compose takes unchanged; it rewrites all others
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def base(environment: Mapping[str, str]) -> str:
    """Return the images' root. Raises SutraError if no Dockerfile stage exists for it."""
    chosen = environment.get("BASE") or BASES[0]
    refuse_base(chosen)
    return chosen


def refuse_base(chosen: str) -> None:
    """Raise SutraError for a BASE that no Dockerfile has a stage for."""
    if chosen not in BASES:
        raise SutraError(f'BASE: unknown "{chosen}"', f"choose one of {', '.join(BASES)}")


def ca_bundle(environment: Mapping[str, str]) -> str:
    """Return the certificates that builders trust: CA_BUNDLE, else the system's, else ""."""
    bundle = environment.get("CA_BUNDLE", "")
    if not bundle:
        return next((path for path in SYSTEM_BUNDLES if Path(path).is_file()), "")
    if not Path(bundle).is_file():
        raise SutraError(
            f'CA_BUNDLE: no such file "{bundle}"', "name a PEM file, or leave CA_BUNDLE out"
        )
    return bundle


def compression(environment: Mapping[str, str]) -> str:
    """Return COMPRESSION, gzip without it. Raises SutraError for another."""
    chosen = environment.get("COMPRESSION") or GZIP
    if chosen not in (GZIP, ZSTD):
        raise SutraError(f'COMPRESSION: unknown "{chosen}"', f"choose {GZIP} or {ZSTD}")
    return chosen


def flag(environment: Mapping[str, str], name: str) -> bool:
    """Return whether a knob says yes. Raises SutraError for what is neither yes nor no."""
    value = environment.get(name, "")
    if value.lower() not in YES:
        raise SutraError(f'{name}: neither yes nor no "{value}"', f"{name}=1, or leave it out")
    return YES[value.lower()]


def project(environment: Mapping[str, str], file: Path = FILE) -> str:
    """Return the project's name as docker-compose.yml gets it: environment, `.env`, PROJECT.

    A variable that is set in the environment counts even when it is empty.
    Raises SutraError for a name that compose would change.
    """
    where, name = KNOB, environment.get(KNOB)
    if name is None:
        where, name = f"{file}: {KNOB}", _assigned(file, KNOB)
    if name and not NAME.fullmatch(name):
        raise SutraError(
            f'{where}: not the name of a project "{escaped(name)}"',
            f"lower-case letters, digits, - and _, such as {KNOB}=mine",
        )
    return name or PROJECT


def assigned(environment: Mapping[str, str], name: str, file: Path = FILE) -> str:
    """Return a variable as docker-compose.yml gets it: environment, else `.env`, else ""."""
    value = environment.get(name)
    return _assigned(file, name) if value is None else value


def _assigned(file: Path, variable: str) -> str:
    """Return what the last assignment of `variable` in `.env` says, "" without one."""
    try:
        # an editor's byte order mark is no part of the first name: compose skips it too
        text = file.read_text("utf-8-sig", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SutraError(f"{file}: cannot be read: {error.strerror}", f"`ls -l {file}`") from error
    value = ""
    for name, *values in ASSIGNED.findall(text.replace("\r\n", "\n")):
        if name == variable:
            value = "".join(values).strip()
    return value
