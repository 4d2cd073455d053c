"""A client for the engine whose failures are one clear line.

Only this room imports the docker SDK, and runs `docker`; but for
scripts.checks.sizes.unchanged, which cannot wait until the SDK is loaded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import docker
from docker.errors import (
    APIError,
    DockerException,
    ImageNotFound,
    create_api_error_from_http_exception,
)
from requests import Response
from requests.exceptions import HTTPError as HTTPStatus
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from scripts.common.errors import EngineError
from scripts.engine import context, logins

MINIMUM_MAJOR = 23
TIP = "run `make engine`"
Client = docker.DockerClient


def connect(timeout: int = 60) -> Client:
    """Return a client for the engine that the `docker` command would use.

    `timeout` is in seconds, for one answer. Raises SutraError when no engine
    answers or when it is older than MINIMUM_MAJOR.
    """
    logins.load()  # the SDK reads them as well, and has no words for what is wrong with them
    try:
        if os.environ.get("DOCKER_HOST"):  # with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH
            client = docker.from_env(timeout=timeout, version="auto")
        else:
            client = docker.DockerClient(
                base_url=context.endpoint(), timeout=timeout, version="auto"
            )
        version = str(client.version()["Version"])
    except (DockerException, OSError, *UNEXPECTED) as error:
        raise EngineError(f"no answer ({reason(error)})", TIP) from error
    refuse_old(version)
    return client


def refuse_old(version: str) -> None:
    """Raise SutraError when `version` ("20.10.17-ce") is older than MINIMUM_MAJOR.

    A development build that begins with no number is let pass.
    """
    number = re.match(r"\d+", version)
    if number and int(number[0]) < MINIMUM_MAJOR:
        raise EngineError(
            f'server.version: too old "{version}", {MINIMUM_MAJOR} or newer is needed',
            "upgrade the engine, or point DOCKER_HOST at a newer one",
        )


def reason(error: BaseException) -> str:
    """Return the innermost cause as one short line.

    A NameError is how the SDK notices that a package for ssh is missing, which it
    says better itself.
    """
    while (cause := error.__cause__ or error.__context__) and not isinstance(cause, NameError):
        error = cause
    return str(error).splitlines()[0] if str(error) else type(error).__name__


# exceptions of code that takes apart an answer of another form than it expects
UNEXPECTED = (AttributeError, LookupError, TypeError, ValueError)


@contextmanager
def request(what: str) -> Iterator[None]:
    """Turn what can go wrong with one question to the engine into one clear line.

    The answer is taken apart inside the block, so that one of an unexpected form is an
    error like any other. An image that is not there stays ImageNotFound.
    """
    with answering(what):
        try:
            yield
        except UNEXPECTED as error:
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
            raise EngineError(
                f"cannot {what}: unexpected answer ({problem})",
                "check its version and its log: `docker version`",
            ) from error


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Turn an engine's refusal, or its silence, into one clear line.

    The SDK passes the errors of `requests` on when the engine goes away.
    """
    try:
        yield
    except ImageNotFound:
        raise
    except APIError as error:
        raise EngineError(f"cannot {what}: {error.explanation or error}", TIP) from error
    except DockerException as error:
        problem = (str(error).splitlines() or [""])[0]
        raise EngineError(f"cannot {what}: {problem}", TIP) from error
    except (RequestException, HTTPError, ConnectionError) as error:
        raise EngineError(f"no answer ({reason(error)})", TIP) from error


def answer(
    client: Client, path: str, query: Mapping[str, str | Sequence[str]], stream: bool = False
) -> Response:
    """Return the engine's answer to a question that the SDK has no method for.

    Raises the SDK's own errors, which `request` turns into one line.
    """
    api = client.api
    address = f"{api.base_url}/v{api.api_version}{path}"
    # a stream may begin late: an engine first makes the archive that it sends
    timeout = None if stream else api.timeout
    response = api.get(address, params=query, stream=stream, timeout=timeout)
    try:
        response.raise_for_status()
    except HTTPStatus as error:
        response.close()
        raise create_api_error_from_http_exception(error) from error
    return response


def is_remote(client: Client) -> bool:
    """Return whether the engine is reached otherwise than by a socket of this machine."""
    address = client.api.base_url
    return not address.startswith("http+docker://") or address == "http+docker://ssh"


def local_disk(client: Client) -> Path | None:
    """Return the folder where the engine keeps its data, if it is on this machine."""
    if is_remote(client):
        return None
    with request("describe itself"):
        root = Path(client.info()["DockerRootDir"])
    return root if os.path.exists(root) else None  # None, too, below a folder closed to this user


def has_containerd_store(client: Client) -> bool:
    """Return whether the engine keeps images in containerd's store, not in the classic one."""
    with request("describe itself"):
        status = client.info().get("DriverStatus") or []
    return ["driver-type", "io.containerd.snapshotter.v1"] in status
