"""The engine: the only module that imports the docker SDK.

The SDK inspects, saves, runs, tags and removes; it cannot speak to BuildKit
(docker-py #2230), so builds go through `docker buildx` as a subprocess. One other module
runs `docker`: scripts.checks.sizes.unchanged, which cannot wait until the SDK is loaded.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import docker
from docker.constants import DEFAULT_DATA_CHUNK_SIZE
from docker.context.config import get_current_context_name
from docker.errors import (
    APIError,
    DockerException,
    ImageNotFound,
    NotFound,
    create_api_error_from_http_exception,
)
from docker.models.containers import Container
from requests.exceptions import HTTPError as HTTPStatus
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from scripts.common.check_result import printable
from scripts.common.errors import SutraError
from scripts.engine import logins, process
from scripts.engine.read_ahead import Ahead

MINIMUM_MAJOR = 23
# HTTP: unauthorized, forbidden, not found, too many requests
REFUSALS = (401, 403, 404, 429)
TIP = "run `make engine`"
NO_CONTEXT = (
    "`docker context ls` lists them; without DOCKER_CONTEXT and after "
    "`docker context use default` it is this machine's engine"
)
BAKE_FILE = Path("docker-bake.hcl")
BUILD = Path(".build")
BAKE_ENVIRONMENT = {
    # attestations carry the time of the build, so that no two builds are the same image
    "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    # from 0.20 on buildx asks before it reads a secret from outside the folder: the
    # certificates are, and this bake file is our own
    "BUILDX_BAKE_ENTITLEMENTS_FS": "0",
    # buildx before 0.17 loads targets that are only built upon: 1 GB of toolchain without a name
    "BUILDX_NO_DEFAULT_LOAD": "1",
}
# enough of a build's progress to hold its failing step and its error
TAIL_BYTES = 1 << 16
# beside PATH: where distributions and Docker's packages put a client with plugins
CLIENTS = ("docker", "/usr/bin/docker", "/usr/local/bin/docker")


DEFAULT_SOCKET = "unix:///var/run/docker.sock"
DEFAULT_CONTEXT = "default"

Client = docker.DockerClient


class ImageVanishedError(SutraError):
    """An image that was there is gone."""


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
            client = docker.DockerClient(base_url=_endpoint(), timeout=timeout, version="auto")
        version = str(client.version()["Version"])
    except (DockerException, OSError, *UNEXPECTED) as error:
        raise SutraError(f"engine: no answer ({reason(error)})", TIP) from error
    refuse_old(version)
    return client


def refuse_old(version: str) -> None:
    """Raise SutraError when `version` ("20.10.17-ce") is older than MINIMUM_MAJOR.

    A development build that begins with no number is let pass.
    """
    number = re.match(r"\d+", version)
    if number and int(number[0]) < MINIMUM_MAJOR:
        raise SutraError(
            f'engine: server.version: too old "{version}", {MINIMUM_MAJOR} or newer is needed',
            "upgrade the engine, or point DOCKER_HOST at a newer one",
        )


def _endpoint() -> str:
    """Return the address of the context that the `docker` command would use.

    Raises SutraError for a context that the client does not know, or that no client can
    tell: another engine is no substitute.
    """
    program = shutil.which(os.environ.get("DOCKER") or "docker")
    if not program:
        name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
        if name not in ("", DEFAULT_CONTEXT):
            raise _no_context(f'no docker client that knows the context "{name}"')
        return DEFAULT_SOCKET
    command = [program, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    try:
        answer = process.answered(command, b"", os.environ)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _no_context(f"docker context inspect: {process.reason(error)}") from error
    lines = answer.stderr.decode(errors="replace").splitlines()
    if answer.returncode:
        problem = next(filter(None, lines), f"exit code {answer.returncode}")
        raise _no_context(f"docker context inspect: {problem}")
    host = answer.stdout.decode(errors="replace").strip()
    if not host:
        raise _no_context("docker context inspect: no address of an engine")
    return host


def _no_context(problem: str) -> SutraError:
    return SutraError(f"engine: {printable(problem)}", NO_CONTEXT)


def reason(error: BaseException) -> str:
    """Return the innermost cause as one short line.

    A NameError is how the SDK notices that a package for ssh is missing, which it
    says better itself.
    """
    while (cause := error.__cause__ or error.__context__) and not isinstance(cause, NameError):
        error = cause
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def find_client() -> str:
    """Return the first docker client whose buildx works.

    A newer client without plugins may come earlier on PATH. Raises SutraError.
    """
    for client in (os.environ.get("DOCKER") or "docker", *CLIENTS[1:]):
        path = shutil.which(client)
        if (
            path
            and subprocess.run([path, "buildx", "version"], capture_output=True).returncode == 0
        ):
            return path
    raise SutraError("engine: no docker client with a working buildx plugin", TIP)


# exceptions of code that takes apart an answer of another form than it expects
UNEXPECTED = (AttributeError, LookupError, TypeError, ValueError)


@contextmanager
def asked(what: str) -> Iterator[None]:
    """Turn what can go wrong with one question to the engine into one clear line.

    The answer is taken apart inside the block, so that one of an unexpected form is an
    error like any other. An image that is not there stays ImageNotFound.
    """
    with _answering(what):
        try:
            yield
        except UNEXPECTED as error:
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
            raise SutraError(
                f"engine: cannot {what}: unexpected answer ({problem})",
                "check its version and its log: `docker version`",
            ) from error


@contextmanager
def _answering(what: str) -> Iterator[None]:
    """Turn an engine's refusal, or its silence, into one clear line.

    The SDK passes the errors of `requests` on when the engine goes away.
    """
    try:
        yield
    except ImageNotFound:
        raise
    except APIError as error:
        raise SutraError(f"engine: cannot {what}: {error.explanation or error}", TIP) from error
    except DockerException as error:
        problem = (str(error).splitlines() or [""])[0]
        raise SutraError(f"engine: cannot {what}: {problem}", TIP) from error
    except (RequestException, HTTPError, ConnectionError) as error:
        raise SutraError(f"engine: no answer ({reason(error)})", TIP) from error


def inspect(client: docker.DockerClient, reference: str) -> dict[str, Any] | None:
    """Return what the engine knows of an image, or None when it does not have it."""
    try:
        with asked(f'inspect "{reference}"'):
            return dict(client.images.get(reference).attrs)
    except ImageNotFound:
        return None


def history(client: docker.DockerClient, reference: str) -> list[dict[str, Any]]:
    """Return how an image was made, first step first, in the words of an OCI config."""
    try:
        with asked(f'tell the history of "{reference}"'):
            steps: list[dict[str, Any]] = client.api.history(reference)  # type: ignore[no-untyped-call]
    except ImageNotFound as error:
        raise SutraError(
            f'engine: image no longer exists "{reference}"', "run `make build`"
        ) from error
    return [
        {"created_by": step["CreatedBy"], "comment": step["Comment"], "bytes": step["Size"]}
        for step in reversed(steps)
    ]


@contextmanager
def saved(client: docker.DockerClient, *references: str) -> Iterator[Any]:
    """Open `docker save` of images: a file of one tar stream, read once, forwards."""
    shown = " ".join(references)
    try:
        with _answering(f'save "{shown}"'):  # what reads the archive explains its damage
            response: Any = (
                _several(client, references)
                if len(references) > 1
                else client.api.get_image(references[0])
            )
            try:
                with Ahead(response) as chunks:
                    yield Stream(chunks)
            finally:
                response.close()
    except ImageNotFound as error:
        raise SutraError(f'engine: image no longer exists "{shown}"', "run `make build`") from error


def _several(client: docker.DockerClient, references: Sequence[str]) -> Iterator[bytes]:
    """Ask for one archive of several images, which the SDK has no call for (API 1.25 and on)."""
    api = client.api
    address = f"{api.base_url}/v{api.api_version}/images/get"
    with closing(api.get(address, params={"names": references}, stream=True)) as response:
        try:
            response.raise_for_status()
        except HTTPStatus as error:
            raise create_api_error_from_http_exception(error) from error
        yield from response.iter_content(DEFAULT_DATA_CHUNK_SIZE)


class Stream:
    """The little of a file that `tarfile` wants, over chunks of bytes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        parts: list[memoryview] = []
        while size > 0:
            if not self._rest:
                self._rest = memoryview(next(self._chunks, b""))
                if not self._rest:
                    break
            part, self._rest = self._rest[:size], self._rest[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def bake_plan(targets: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return `docker buildx bake --print` of `targets`: `{"group": …, "target": {name: …}}`.

    Raises SutraError for a bake file or a target that buildx refuses.
    """
    command = [find_client(), "buildx", "bake", "-f", str(BAKE_FILE), "--print", *targets]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    if done.returncode:
        reason = next(
            (line for line in done.stderr.splitlines() if line.startswith("ERROR")),
            done.stderr.strip(),
        )
        raise SutraError(
            f"{BAKE_FILE}: {reason.removeprefix('ERROR: ')}", "fix it, then run `make build` again"
        )
    return dict(json.loads(done.stdout))


@contextmanager
def metadata_file() -> Iterator[Path]:
    """Yield where `bake` may write what it built, in the checkout; it is removed afterwards."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix=".metadata-") as folder:
        yield Path(folder) / "metadata.json"


def bake(
    targets: Sequence[str],
    overrides: Sequence[str],
    environment: Mapping[str, str],
    metadata: Path | None = None,
) -> tuple[int, list[str]]:
    """Build `targets` with BuildKit's own progress on stderr.

    `overrides` are values of `--set`; `metadata` is a file for buildx to write what it
    built to. Return the exit code and the last lines of the progress, from which a
    failure can be explained.
    """
    command, own = bake_command(targets, overrides)
    more = [f"--metadata-file={metadata}"] if metadata else []
    return tee([*command, *more], {**own, **environment})


def bake_command(
    targets: Sequence[str], overrides: Sequence[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """Return the command that builds `targets`, and the environment that it wants."""
    command = [find_client(), "buildx", "bake", "-f", str(BAKE_FILE)]
    command += [word for value in overrides for word in ("--set", value)]
    return [*command, *targets], {**os.environ, **BAKE_ENVIRONMENT}


def tee(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, list[str]]:
    """Run `command`, pass its stderr on as it comes, and return exit code and last lines.

    On a terminal the command gets one as well, so that it draws live progress.
    An interrupt ends the command before it is raised here. The command has a
    process group of its own: mmdebstrap ends its whole group when it fails.
    """
    ours = sys.stderr.fileno()
    if os.isatty(ours):
        reader, writer = pty.openpty()
        termios.tcsetwinsize(writer, termios.tcgetwinsize(ours))
    else:
        reader, writer = os.pipe()
    tail = b""
    try:
        child = subprocess.Popen(
            command, stderr=writer, stdin=subprocess.DEVNULL, env=dict(environment), process_group=0
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    try:
        for chunk in iter(partial(_read, reader), b""):
            os.write(ours, chunk)
            tail = (tail + chunk)[-TAIL_BYTES:]
        return child.wait(), tail.decode(errors="replace").splitlines()
    except BaseException:
        os.killpg(child.pid, signal.SIGTERM)
        for chunk in iter(partial(_read, reader), b""):  # else its last words block it
            with suppress(OSError):  # nobody reads our own stderr any more
                os.write(ours, chunk)
        child.wait()
        raise
    finally:
        os.close(reader)


def _read(descriptor: int) -> bytes:
    """Return the next bytes; a terminal whose other end was closed says so by EIO."""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""


def read_file(client: Client, reference: str, path: str) -> bytes | None:
    """Return a tar archive with one file of an image, or None when it is not there.

    A container is created for it, never started, and removed.
    """
    with asked(f'read "{path}" of "{reference}"'):
        try:
            container = client.containers.create(reference, command=["/nothing"])
        except ImageNotFound:
            return None
        try:
            return b"".join(container.get_archive(path)[0])
        except NotFound:
            return None
        finally:
            container.remove(v=True)


def local_disk(client: Client) -> Path | None:
    """Return the folder where the engine keeps its data, if it is on this machine."""
    address = client.api.base_url
    if not address.startswith("http+docker://") or address == "http+docker://ssh":
        return None  # not a socket of this machine
    with asked("describe itself"):
        root = Path(client.info()["DockerRootDir"])
    return root if root.exists() else None


def has_containerd_store(client: Client) -> bool:
    """Return whether the engine keeps images in containerd's store, not in the classic one."""
    with asked("describe itself"):
        status = client.info().get("DriverStatus") or []
    return ["driver-type", "io.containerd.snapshotter.v1"] in status


def registry_refusal(image: str, seconds: int) -> str:
    """Ask the engine to ask its registry for `image`; return "" when that serves it.

    Otherwise return why no registry answered within `seconds`. Raises SutraError
    when one answered, and refused: then nothing but another name or a login helps.
    """
    try:
        with closing(connect(timeout=seconds)) as client:
            client.images.get_registry_data(image)
    except APIError as error:
        reason = ((error.explanation or "").strip() or str(error.args[0])).splitlines()[0]
        if error.status_code in REFUSALS or "toomanyrequests" in reason:
            raise SutraError(
                f'roots: its registry refuses "{image}": {reason}', "check the name and the login"
            ) from error
        return reason
    except RequestException:
        return f"no answer in {seconds} s"
    except DockerException as error:
        return str(error)
    return ""


def pull_refusal(image: str, seconds: int) -> str:
    """Pull `image` into the engine; return "", or why it was not there after `seconds`."""
    command = [find_client(), "pull", "--quiet", image]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"not pulled in {seconds} s"
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return lines[-1] if done.returncode else ""


def load(client: Client, archive: IO[bytes]) -> None:
    """Load an archive of `docker save`'s form. Raises SutraError."""
    with asked("load an archive"):
        client.images.load(archive)


def tag(client: docker.DockerClient, source: str, target: str) -> None:
    """Move the tag `target` ("sutra-api:prod") to the image `source` (reference or id)."""
    repository, _, name = target.rpartition(":")
    try:
        with asked(f'tag "{target}"'):
            client.api.tag(source, repository, name)
    except ImageNotFound as error:
        raise ImageVanishedError(
            f'engine: image no longer exists "{source}"', "run `make build`"
        ) from error


def untag(client: docker.DockerClient, reference: str) -> None:
    """Remove the tag `reference`, if it is there; the image stays while it has another."""
    with suppress(ImageNotFound), asked(f'remove the tag "{reference}"'):
        client.api.remove_image(reference, noprune=True)


def repository_tags(client: Client, repository: str) -> set[str]:
    """Return all tags of a repository of the engine: {"prod", "latest", "1.4.2"}."""
    with asked(f'list the tags of "{repository}"'):
        images = client.api.images(name=repository)
    pairs = (tag.rpartition(":") for image in images for tag in image["RepoTags"] or ())
    return {tag for name, _, tag in pairs if name == repository}


def labels(client: Client, reference: str) -> dict[str, str]:
    """Return an image's labels; none of an image that is not there."""
    known = inspect(client, reference) or {}
    return dict((known.get("Config") or {}).get("Labels") or {})


def push(client: Client, reference: str) -> None:
    """Push one tag ("host:port/path/sutra-api:1.4") with the logins that Docker knows.

    Raises SutraError when the registry or the way to it fails; the engine has tried
    again by itself by then.
    """
    repository, _, name = reference.rpartition(":")
    with asked(f'push "{reference}"'):
        for line in client.api.push(repository, name, stream=True, decode=True):
            if "error" in line:
                problem = str(line["error"]).strip().splitlines()[0]
                raise SutraError(
                    f'registry: cannot push "{reference}": {problem}',
                    f"check the network and `docker login {repository.partition('/')[0]}`, "
                    "then run the same command again",
                )


def is_insecure(client: Client, host: str) -> bool:
    """Whether the engine takes a registry without a certificate: loopback, or by its settings."""
    with asked("describe itself"):
        settings = client.info().get("RegistryConfig") or {}
    known = (settings.get("IndexConfigs") or {}).get(host)
    if known is not None:
        return not known.get("Secure", True)
    name = re.sub(r":\d+$", "", host).strip("[]")
    try:
        addresses = {ip_address(found[4][0]) for found in socket.getaddrinfo(name, None)}
    except (OSError, ValueError):
        return False
    networks = [ip_network(each) for each in settings.get("InsecureRegistryCIDRs") or ()]
    return any(address in network for address in addresses for network in networks)


def registry_server(client: Client, host: str) -> str:
    """Return who serves a registry's API: the host itself, but for the engine's own default."""
    with asked("describe itself"):
        known = client.info()
    indexes = (known.get("RegistryConfig") or {}).get("IndexConfigs") or {}
    if (indexes.get(host) or {}).get("Official"):
        return urlsplit(str(known["IndexServerAddress"])).netloc
    return host


def digests(client: Client, reference: str) -> set[str]:
    """Return the digests under which the engine knows an image in a reference's repository.

    With the containerd store that is the image's own, with the classic one the digest
    that the engine made of it for a push.
    """
    repository = reference.rpartition(":")[0]
    return {digest for name, digest in _digests(client, reference) if name == repository}


def digests_anywhere(client: Client, reference: str) -> set[str]:
    """Return the digests of an image in every repository, none where it never was in one."""
    return {digest for _, digest in _digests(client, reference)}


def _digests(client: Client, reference: str) -> list[tuple[str, str]]:
    known = inspect(client, reference) or {}
    pairs = (each.partition("@") for each in known.get("RepoDigests") or ())
    return [(name, digest) for name, _, digest in pairs]


def create(client: Client, image: str, **options: Any) -> Container:
    """Create a container. Raises SutraError when its image is gone."""
    try:
        with asked(f'create a container of "{image}"'):
            return client.containers.create(image, **options)
    except ImageNotFound as error:
        raise SutraError(f'engine: image no longer exists "{image}"', "run `make build`") from error


class CommandError(Exception):
    """The engine could not run a command in a container; the text is its reason."""


@contextmanager
def running() -> Iterator[None]:
    """Tell a command that cannot be run (CommandError) from an engine that cannot answer.

    A command that is not there is status 400 or, on older engines, 500 with the
    runtime's words; a container that has ended is 409, or 500 with containerd's words
    where it ends just then.
    """
    with asked("run a container"):
        try:
            yield
        except APIError as error:
            reason = str(error.explanation or error)
            known = ("OCI runtime", "process is not running")
            if error.status_code in (400, 409) or any(words in reason for words in known):
                raise CommandError(reason.strip().splitlines()[0]) from error
            raise


def remove_container(client: Client, name: str) -> None:
    """Remove a container and its volumes, running or not, if it is there."""
    with asked(f'remove the container "{name}"'), suppress(NotFound):
        client.api.remove_container(name, v=True, force=True)


def remove_network(client: Client, name: str) -> None:
    """Remove a network, if it is there."""
    with asked(f'remove the network "{name}"'), suppress(NotFound):
        client.api.remove_network(name)
