"""The ports of a compose file's services, in the short form of a port and in the long one.

Source: https://docs.docker.com/reference/compose-file/services/#ports
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sutra_cleanup import strict_yaml

from scripts.common.errors import SutraError

# a variable with a default, and an address in brackets, in the text of a port
DEFAULT = re.compile(r"\$\{\w+:?-([^}]*)\}")
ADDRESS = re.compile(r"\[[^\]]*\]")
RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
KEYS, LISTS = ("published", "target"), ("ports", "expose")


def of(name: str, text: str) -> set[int]:
    """Return all ports of a compose file's text. Raises SutraError where it is not YAML."""
    entries = (entry for key in LISTS for _, entry in _entries(name, text, key))
    return {port for entry in entries for part in _parts(entry) for port in _numbers(part)}


def shared(name: str, text: str) -> Iterator[tuple[int, str, str]]:
    """Yield each port of the host that a service publishes after another one, with both names.

    Raises SutraError where the text is not YAML.
    """
    owners: dict[int, str] = {}
    for service, entry in _entries(name, text, "ports"):
        for port in _numbers(_published(entry)):
            if (owner := owners.setdefault(port, service)) != service:
                yield port, service, owner


def _entries(name: str, text: str, key: str) -> Iterator[tuple[str, object]]:
    """Yield the entries of a list that services have, each with its service."""
    try:
        content = strict_yaml.load(text)
    except ValueError as error:
        raise SutraError(
            f"{name}: not YAML: {error}", f"`docker compose config` reads {name}"
        ) from error
    for service, value in _mapping(_mapping(content).get("services")).items():
        entries = _mapping(value).get(key)
        for entry in entries if isinstance(entries, list) else ():
            yield str(service), entry


def _mapping(value: object) -> Mapping[str, object]:
    """Return a mapping of the file, an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def _parts(entry: object) -> list[str]:
    """Return the parts of one entry: "127.0.0.1:8000-8009:80/tcp", 80, or its keys."""
    if isinstance(entry, dict):
        return [_text(entry.get(key, "")) for key in KEYS]
    return _text(entry).split(":")


def _published(entry: object) -> str:
    """Return the host's part of one entry, "" where the host chooses a port."""
    if isinstance(entry, dict):
        return _text(entry.get("published", ""))
    return "".join(_parts(entry)[-2:-1])


def _text(value: object) -> str:
    return ADDRESS.sub("", DEFAULT.sub(r"\1", str(value))).partition("/")[0]


def _numbers(part: str) -> Iterator[int]:
    """Yield the ports of one part: 80, or 8000-8009."""
    if match := RANGE.fullmatch(part.strip()):
        yield from range(int(match[1]), int(match[2] or match[1]) + 1)
