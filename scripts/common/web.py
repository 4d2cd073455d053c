"""Answers of servers that knobs name: indexes of packages and logs of signatures.

Registries of images are asked by scripts.oci.registry_session: their trust is the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import requests

from scripts.common import settings

BLOCK = 1 << 16


def session(environment: Mapping[str, str]) -> requests.Session:
    """Return a session that trusts CA_BUNDLE, else the system's certificates.

    Each request must be given `verify` once more: REQUESTS_CA_BUNDLE wins over a session's own.
    """
    opened = requests.Session()
    opened.verify = settings.ca_bundle(environment) or True
    return opened


def is_address(text: str) -> bool:
    """Return whether a text is an address of http or https with a host."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def body(answer: requests.Response, most: int) -> bytes:
    """Return the whole body of a streamed answer. Raises ValueError over `most` bytes."""
    data = bytearray()
    for part in answer.iter_content(BLOCK):
        data += part
        if len(data) > most:
            raise ValueError("its answer is too long")
    return bytes(data)


def silence(error: Exception) -> str:
    """Return why there was no answer, "" for an error about its content.

    Without the address, which may hold a login, and which `requests` puts into its messages.
    """
    if isinstance(error, (requests.Timeout, TimeoutError)):
        return "it took too long"
    # all errors of requests are OSErrors, too
    return "no connection" if isinstance(error, OSError) else ""
