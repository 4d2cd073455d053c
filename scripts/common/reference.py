"""How images are named: registry, repository, tag and digest, read once and strictly.

Grammar: https://github.com/distribution/reference/blob/main/reference.go, which is the engine's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from scripts.common.errors import SutraError

ALGORITHM = "sha256:"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# one component of a repository's path
NAME = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(
    rf"(?:{_LABEL}(?:\.{_LABEL})*|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]+))?"
)
_IDENTIFIER = re.compile(r"[0-9a-f]{64}")

# host that a name without one is short for
DEFAULT_REGISTRY = "docker.io"
# the same registry, as older clients call it
ALIASES = {"index.docker.io": DEFAULT_REGISTRY}
OFFICIAL = "library/"
MAX_REPOSITORY = 255
MAX_PORT = 65535
SHORT_DIGITS = 12


class BadReferenceError(SutraError):
    """A text names no image. `problem` says which part is wrong."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(
            f'image reference: {problem} "{text}"',
            "name it as name:tag or host/name:tag",
        )
        self.problem = problem


@dataclass(frozen=True)
class Reference:
    """The parts of an image's name; `tag` and `digest` are "" where it has none.

    Two spellings of one image are equal: "debian", "docker.io/library/debian".
    """

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """Registry and repository as people and the engine write them, "debian"."""
        if self.registry != DEFAULT_REGISTRY:
            return f"{self.registry}/{self.repository}"
        short = self.repository.removeprefix(OFFICIAL)
        # "library/me/api" is not "me/api"
        return short if "/" not in short else self.repository

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")


def parse(text: str, has_registry: bool = False) -> Reference:
    """Return the parts of "host:port/path/name:tag@digest". Raises BadReferenceError.

    The first component is a registry's host where it has a dot, a port or an upper-case
    letter, where it is "localhost", or where the caller knows it (`has_registry`).
    """
    parts = _split(text, has_registry)
    if problem := _problem(text, parts, has_registry):
        raise BadReferenceError(text, problem)
    registry = ALIASES.get(parts.registry, parts.registry) or DEFAULT_REGISTRY
    is_official = registry == DEFAULT_REGISTRY and "/" not in parts.repository
    repository = OFFICIAL + parts.repository if is_official else parts.repository
    return Reference(registry, repository, parts.tag or "", parts.digest or "")


def read(text: str) -> Reference | None:
    """Return the parts of a reference, None for every other text ("<none>:<none>")."""
    try:
        return parse(text)
    except BadReferenceError:
        return None


def tagged(text: str) -> Reference | None:
    """Return the parts of "name:tag", None for every other text."""
    reference = read(text)
    return reference if reference and reference.tag and not reference.digest else None


def is_host(text: str) -> bool:
    """Return whether a text is a registry's host, with or without a port."""
    match = _HOST.fullmatch(text)
    if not match:
        return False
    port_is_good = not match["port"] or 1 <= int(match["port"][:6]) <= MAX_PORT
    return port_is_good and (not match["ipv6"] or _is_ipv6(match["ipv6"]))


def is_place(text: str) -> bool:
    """Return whether a text is a registry, or a path in one: "localhost:5000", "host.io/me"."""
    host, *path = text.split("/")
    return _looks_like_host(host) and is_host(host) and all(map(NAME.fullmatch, path))


def digits(digest: str) -> str:
    """Return a digest's hexadecimal digits, without its algorithm."""
    return digest.removeprefix(ALGORITHM)


def short(digest: str) -> str:
    """Return the twelve digits by which people know a digest."""
    return digits(digest)[:SHORT_DIGITS]


class _Parts(NamedTuple):
    """A text taken apart, not yet checked; None: it has no such part."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None


def _split(text: str, has_registry: bool) -> _Parts:
    named, at, digest = text.partition("@")
    path, colon, tag = named.rpartition(":")
    if not colon or "/" in tag:  # a port's colon
        path, colon = named, ""
    host, slash, repository = path.partition("/")
    if not (slash and (has_registry or _looks_like_host(host))):
        host, repository = "", path
    return _Parts(host, repository, tag if colon else None, digest if at else None)


def _problem(text: str, parts: _Parts, has_registry: bool) -> str:
    """Return what is wrong with a reference and its parts, "" where nothing is."""
    checks = (
        (parts.digest is None or DIGEST.fullmatch(parts.digest), "no sha256 digest in"),
        (parts.tag is None or TAG.fullmatch(parts.tag), "no tag of 1 to 128 characters in"),
        (parts.registry or not has_registry, "no registry in"),
        (not parts.registry or is_host(parts.registry), "no host or host:port before"),
        (all(map(NAME.fullmatch, parts.repository.split("/"))), "no lower-case name in"),
        (len(parts.repository) <= MAX_REPOSITORY, f"more than {MAX_REPOSITORY} characters in"),
        (not _IDENTIFIER.fullmatch(text), "an id and no name in"),
    )
    return next((problem for is_good, problem in checks if not is_good), "")


def _looks_like_host(text: str) -> bool:
    return text == "localhost" or "." in text or ":" in text or text != text.lower()


def _is_ipv6(text: str) -> bool:
    import socket  # not loaded for names without one: every command reads references

    try:
        socket.inet_pton(socket.AF_INET6, text)
    except OSError:
        return False
    return True
