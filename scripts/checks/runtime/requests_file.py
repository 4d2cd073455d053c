"""Read the requests that a service is sent while it is watched, and send them.

A line each: `GET /stats` or `POST /similar {"text": "a"}`, or to a service beside it by the name
under which it reaches that, `PUT sutra-storage/concepts/1 {"text": "a"}`; `#` begins a comment.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import SutraError
from scripts.engine import client as engine

LINE = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE) ([a-z0-9.-]*)(/[!-~]*)(?: (.+))?")
SECONDS = 30
UNREAD = "check REQUESTS=…, or runtime.requests in images.yaml"
TIP = 'a line is a method, a path and perhaps a JSON body, such as `POST /search {"text": "a"}`'


@dataclass(frozen=True)
class Request:
    """One HTTP request; a body is JSON. `host` is a service beside the one that is traced."""

    method: str
    path: str
    body: str = ""
    host: str = ""

    @property
    def shown(self) -> str:
        """The request as its line has it, without the body."""
        return f"{self.method} {self.host}{self.path}"


@dataclass(frozen=True)
class Answer:
    """The status that a request was answered with."""

    request: Request
    status: int


def read(file: Path) -> list[Request]:
    """Return the requests in a file. Raises SutraError for a line that is not one."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise SutraError(f"{file}: cannot be read: {reason}", UNREAD) from error
    requests = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = LINE.fullmatch(line.strip())
        if match is None:
            raise SutraError(f'{file}: line {number}: not a request "{line}"', TIP)
        requests.append(Request(match[1], match[3], match[4] or "", match[2]))
    return requests


def addresses(client: engine.Client, network: str) -> dict[str, tuple[str, int]]:
    """Return where each service of a network listens: its address, and its image's first port."""
    addresses_by_name: dict[str, tuple[str, int]] = {}
    with engine.request("inspect a network"):
        for identity in client.api.inspect_network(network)["Containers"]:
            container = client.api.inspect_container(identity)
            exposed = container["Config"].get("ExposedPorts") or {}
            ports = [int(port.removesuffix("/tcp")) for port in exposed if port.endswith("/tcp")]
            joined = container["NetworkSettings"]["Networks"][network]
            if ports and joined["IPAddress"]:
                address = str(joined["IPAddress"]), min(ports)
                names = [
                    alias for alias in joined["Aliases"] or () if not identity.startswith(alias)
                ]
                addresses_by_name |= dict.fromkeys(names, address)
    return addresses_by_name


def send(
    places: Mapping[str, tuple[str, int]], own: str, requests: Sequence[Request]
) -> list[Answer]:
    """Send all requests, one after another, to the service `own` or to the one that each names.

    Raises SutraError for one without an answer, and before any is sent for one without an address.
    """
    for host in (request.host or own for request in requests):
        if host not in places:
            services = ", ".join(sorted(places)) or "none"
            raise SutraError(
                f'requests: no address for requests to "{host}"',
                f"an image needs EXPOSE; services with an address: {services}",
            )
    return [Answer(request, _status(places[request.host or own], request)) for request in requests]


def _status(address: tuple[str, int], request: Request) -> int:
    connection = http.client.HTTPConnection(*address, timeout=SECONDS)
    headers = {"Content-Type": "application/json"} if request.body else {}
    try:
        connection.request(request.method, request.path, request.body.encode() or None, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise SutraError(
            f"requests: no answer to {request.shown}: {reason}",
            "`make verify-runtime` shows whether the service works",
        ) from error
    finally:
        connection.close()
