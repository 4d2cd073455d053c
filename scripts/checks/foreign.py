"""Check an image that was not built here: its sizes and what it holds. Nothing is started."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scripts.catalog.catalog import Image
from scripts.catalog.foreign import SIZES, Foreign
from scripts.checks.contents import verify as contents
from scripts.checks.sizes.budgets import over_budget
from scripts.common.check_result import CheckResult
from scripts.common.errors import DiskError, EngineError, SutraError
from scripts.common.units import format_size
from scripts.engine import client as engine
from scripts.image import inventory
from scripts.image.inventory import Inventory
from scripts.oci import sources

# number of owners that one line about a size names
LARGEST = 3
ELSEWHERE = "an image in a file is archive:FILE or oci:FOLDER, one in a registry registry:HOST/NAME"


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where layers that were read are remembered. Raises SutraError without a home.

    A relative XDG_CACHE_HOME is not used: the XDG Base Directory Specification says so.
    """
    folder = Path(environment.get("XDG_CACHE_HOME", ""))
    if folder.is_absolute():
        return folder / "sutra-images"
    try:
        return Path.home() / ".cache/sutra-images"
    except RuntimeError as error:
        raise SutraError("HOME: no home folder", "set XDG_CACHE_HOME to a folder") from error


def verify(catalogue: Foreign, image: Image, reference: str, cache: Path) -> list[CheckResult]:
    """Return the checks of `reference` by the promises of `image`.

    Raises SutraError for an image that is not there, and for one in which nothing can be checked.
    """
    content = _read(reference, cache)
    private = contents.private_certificates()
    return [
        *_sizes(catalogue, image, content),
        *contents.judge(catalogue.promises, image, content, private, foreign=True),
    ]


def _read(reference: str, cache: Path) -> Inventory:
    with _tips_that_help(reference):
        content = inventory.read(_client(reference), reference, cache)
    if content is None:
        _refuse_missing_file(reference)
        raise SutraError(
            f'engine: no such image "{reference}"', f"`docker images` lists them; {ELSEWHERE}"
        )
    if not any(entry.kind == "file" for layer in content.layers for entry in layer.entries):
        raise SutraError(
            f'{reference}: image without files, layers: "{len(content.layers)}"',
            "every rule would pass; save or build the image again",
        )
    return content


def _client(reference: str) -> engine.Client | None:
    """Return the engine's client; None where a file or a registry does without."""
    return engine.connect() if sources.scheme(reference)[0] == "engine" else None


@contextmanager
def _tips_that_help(reference: str) -> Iterator[None]:
    """Replace tips that name a make target, as other repositories do not have ours."""
    try:
        yield
    except EngineError as error:
        if error.problem.startswith("no answer"):
            _refuse_missing_file(reference)
            error.tip = f"start the engine; {ELSEWHERE}"
        elif "`make " in error.tip:
            error.tip = f"check the name, and the engine by `docker info`; {ELSEWHERE}"
        raise
    except DiskError as error:
        error.tip += ", or set XDG_CACHE_HOME to another folder"
        raise


def _refuse_missing_file(reference: str) -> None:
    """Raise SutraError for "archive:web.tar" that is no image of the engine, so meant a file."""
    scheme, _, place = reference.partition(":")
    if scheme in ("archive", "oci"):
        raise SutraError(f"{place}: no such file or folder", "check the path")


def _sizes(catalogue: Foreign, image: Image, content: Inventory) -> Iterator[CheckResult]:
    """Yield both sizes, one that has no budget for information alone."""
    budgets = catalogue.limits[image.name]
    for size in SIZES:
        actual, limit = sum(getattr(layer, size) for layer in content.layers), budgets.get(size)
        problem = ""
        if limit is not None and actual > limit:
            problem = f"{over_budget(actual, limit)}: largest: {_largest(content)}"
        key = f"images.{image.name}.budget.{size}"
        path = str(catalogue.promises.path)
        ok = not problem
        yield CheckResult(image.name, size, ok, actual, limit, problem, file=path, key=key)


def _largest(image: Inventory) -> str:
    """Return whose files are the largest, unpacked."""
    owners, sizes = image.owners(), Counter[str]()
    for layer in image.layers:
        for entry in layer.entries:
            owner = owners[entry.path]
            sizes[f"{owner.name} {owner.version}".strip()] += entry.size
    return ", ".join(f"{name} {format_size(size)}" for name, size in sizes.most_common(LARGEST))
