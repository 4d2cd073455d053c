"""Registries as the engine knows and reaches them: asked, pushed to, trusted."""

from __future__ import annotations

import socket
import subprocess
from contextlib import closing
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from docker.errors import (
    APIError,
    DockerException,
)
from requests.exceptions import RequestException

from scripts.common import reference as references
from scripts.common.errors import RegistryError
from scripts.engine import buildx, socket_question
from scripts.engine import client as engine

# HTTP: unauthorized, forbidden, not found, too many requests
REFUSALS = (401, 403, 404, 429)


def registry_refusal(image: str, seconds: int) -> str:
    """Ask the engine to ask its registry for `image`; return "" when that serves it.

    Otherwise return why no registry answered within `seconds`. Raises SutraError
    when one answered, and refused: then nothing but another name or a login helps.
    """
    try:
        with closing(engine.connect(timeout=seconds)) as client:
            client.images.get_registry_data(image)
    except APIError as error:
        reason = ((error.explanation or "").strip() or str(error.args[0])).splitlines()[0]
        if error.status_code in REFUSALS or socket_question.LIMIT in reason:
            raise RegistryError(
                f'roots: its registry refuses "{image}": {reason}',
                "check the name and the login",
            ) from error
        return reason
    except RequestException:
        return f"no answer in {seconds} s"
    except DockerException as error:
        return str(error)
    return ""


def pull_refusal(image: str, seconds: int) -> str:
    """Pull `image` into the engine; return "", or why it was not there after `seconds`."""
    command = [buildx.find_client(), "pull", "--quiet", image]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"not pulled in {seconds} s"
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return lines[-1] if done.returncode else ""


def push(client: engine.Client, reference: str) -> None:
    """Push one tag ("host:port/path/sutra-api:1.4") with the logins that Docker knows.

    Raises SutraError when the registry or the way to it fails; the engine has tried
    again by itself by then.
    """
    named = references.parse(reference)
    with engine.request(f'push "{reference}"'):
        for line in client.api.push(named.name, named.tag, stream=True, decode=True):
            if "error" in line:
                problem = str(line["error"]).strip().splitlines()[0]
                raise RegistryError(
                    f'registry: cannot push "{reference}": {problem}',
                    f"check the network and `docker login {named.registry}`, "
                    "then run the same command again",
                )


def is_insecure(client: engine.Client, host: str) -> bool:
    """Return whether the engine takes a registry without a certificate (loopback or configured)."""
    with engine.request("describe itself"):
        settings = client.info().get("RegistryConfig") or {}
    index = (settings.get("IndexConfigs") or {}).get(host)
    if index is not None:
        return not index.get("Secure", True)
    name = urlsplit(f"//{host}").hostname or ""
    try:
        addresses = {ip_address(answer[4][0]) for answer in socket.getaddrinfo(name, None)}
    except (OSError, ValueError):
        return False
    networks = [ip_network(block) for block in settings.get("InsecureRegistryCIDRs") or ()]
    return any(address in network for address in addresses for network in networks)


def registry_server(client: engine.Client, host: str) -> str:
    """Return who serves a registry's API: the host itself, but for the engine's own default."""
    with engine.request("describe itself"):
        engine_info = client.info()
    indexes = (engine_info.get("RegistryConfig") or {}).get("IndexConfigs") or {}
    if (indexes.get(host) or {}).get("Official"):
        return urlsplit(str(engine_info["IndexServerAddress"])).netloc
    return host
