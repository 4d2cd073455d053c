"""Start every image hardened, and check what it does: modules, health, memory, stop, writes."""

from __future__ import annotations

import posixpath
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sutra_cleanup import manifest as manifests
from sutra_cleanup.errors import CleanupError

from scripts.catalog.catalog import Catalog, Image
from scripts.catalog.cleanup_manifests import find_manifest
from scripts.checks.runtime import emulated, service
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import containers, images, sandbox
from scripts.engine.sandbox import Setup
from scripts.image import inventory
from scripts.image.size_cache import CACHE
from scripts.oci import sources

PROBE = Path(__file__).resolve().parents[3] / "base-images/lib/prove-imports.py"
IMPORT_SECONDS = 120
LOAD_SECONDS = 10
# kind of source (scripts.oci.sources) → how to get its image into the engine
INTO_ENGINE = {
    "registry": "`docker pull {}`, then give that name",
    "archive": "`docker load -i {}`, then give the name that it says",
    "oci": "`tar -C {} -c . | docker load`, then give the name that it says",
}
# a line of PROBE: module, error, reason
FAILURE = re.compile(r"^[\w.]+: \w+: ", re.MULTILINE)
# glibc's and musl's dynamic loader, on every architecture
LOADER = re.compile(r"(^|/)ld(-linux[^/]*|64|-musl-[^/]+)\.so\.[12]$")


def verify_one(
    client: engine.Client,
    promises: Catalog,
    image: Image,
    reference: str,
    others: Mapping[str, str] | None = None,
    cache: Path = CACHE,
) -> list[CheckResult]:
    """Return the runtime checks of `reference` by the rules of the entry `image`.

    `others` are the references of images that it needs beside it, by name; the
    catalogue's own without it. Raises SutraError when one is not built, and for
    an image that is not in the engine.
    """
    kind, place = sources.scheme(reference)
    if kind != "engine":
        raise SutraError(
            f'verify_runtime: only images in the engine can be started "{reference}"',
            INTO_ENGINE[kind].format(shlex.quote(place)),
        )
    inspected = images.inspect(client, reference)
    if inspected is None:
        raise promises.not_built(image, reference)
    if why := emulated.not_run(client, image.architecture):
        return [emulated.result(promises, image, why)]
    _say(f"{image.name}: starting it")
    started = emulated.slowed(image)
    results = [
        *_modules(client, promises, image, inspected["Id"]),
        *_libraries(client, promises, image, inspected["Id"], cache),
        *service.verify(client, promises, started, inspected, others or {}),
    ]
    return [emulated.with_platform(image, result) for result in results]


def _modules(
    client: engine.Client, promises: Catalog, image: Image, identity: str
) -> list[CheckResult]:
    """Import every module that the cleanup manifest promises, in a container of its own."""
    modules = _promised(image.key)
    if not modules:
        return []
    setup = Setup(identity, ("python3", "-c", PROBE.read_text(), *modules))
    seconds = IMPORT_SECONDS * emulated.patience(image)
    try:
        code, output = sandbox.run(client, setup, seconds)
    except containers.CommandError as refused:
        code, output = -1, str(refused)
    failures = 0 if code == 0 else max(1, len(FAILURE.findall(output)))
    ending = f"not in {seconds} s" if code is None else f"exit code {code}"
    problem = f'modules do not load "{sandbox.one_line(output)}" ({ending})' if failures else ""
    return [_findings(promises, image, "modules", failures, problem)]


def _libraries(
    client: engine.Client, promises: Catalog, image: Image, identity: str, cache: Path
) -> list[CheckResult]:
    """Let the image's own loader load the libraries that it promises, each in a container."""
    if not image.runtime.loads:
        return []
    content = inventory.read(client, identity, cache)
    files = sorted(content.files) if content else []
    loader = next((path for path in files if LOADER.search(path)), "")
    problems = [
        f"{name}: {problem}"
        for name in image.runtime.loads
        if (problem := _load(client, image, identity, loader, name, files))
    ]
    shown = sandbox.one_line("\n".join(problems))
    problem = f'does not load "{shown}"' if problems else ""
    return [_findings(promises, image, "libraries", len(problems), problem, ".runtime.loads")]


def _findings(
    promises: Catalog, image: Image, name: str, count: int, problem: str, key: str = ""
) -> CheckResult:
    """Return the result of a check that finds things, where there should be none."""
    return CheckResult(
        image.name,
        name,
        not count,
        count,
        0,
        problem,
        "findings",
        file=str(promises.path),
        key=f"images.{image.key}{key}",
    )


def _load(
    client: engine.Client,
    image: Image,
    identity: str,
    loader: str,
    name: str,
    files: Sequence[str],
) -> str:
    """Return why the library `name` does not load with all that it needs, "" where it does."""
    place = next((path for path in files if posixpath.basename(path) == name), "")
    if not place or not loader:
        return f"no such {'library' if loader else 'loader'} in the image"
    setup = Setup(identity, (f"/{loader}", "--list", f"/{place}"))
    try:
        code, output = sandbox.run(client, setup, LOAD_SECONDS * emulated.patience(image))
    except containers.CommandError as error:
        return str(error)
    # glibc's loader says what is missing and ends with 0 all the same
    wrong = [line for line in output.splitlines() if code or "not found" in line]
    return wrong[0].strip() if wrong else f"exit code {code}" if code != 0 else ""


def _promised(name: str) -> tuple[str, ...]:
    file = find_manifest(name)
    try:
        return manifests.load(file).imports if file else ()
    except CleanupError as error:
        raise SutraError(error.message, error.tip) from error


def _say(line: str) -> None:
    print(f"verify-runtime: {line}", file=sys.stderr, flush=True)
