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
    try:
        content = strict_yaml.load(text)
    except ValueError as error:
        raise SutraError(
            f"{name}: not YAML: {error}", f"`docker compose config` reads {name}"
        ) from error
    ports: set[int] = set()
    for service in _mapping(_mapping(content).get("services")).values():
        for key in LISTS:
            entries = _mapping(service).get(key)
            for port in entries if isinstance(entries, list) else ():
                ports.update(_numbers(port))
    return ports


def _mapping(value: object) -> Mapping[str, object]:
    """Return a mapping of the file, an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def _numbers(port: object) -> Iterator[int]:
    """Yield the ports of one entry: "127.0.0.1:8000-8009:80/tcp", 80, or its keys."""
    if isinstance(port, dict):
        for key in KEYS:
            yield from _numbers(port.get(key, ""))
        return
    text = ADDRESS.sub("", DEFAULT.sub(r"\1", str(port))).partition("/")[0]
    for part in text.split(":"):
        if match := RANGE.fullmatch(part.strip()):
            yield from range(int(match[1]), int(match[2] or match[1]) + 1)
