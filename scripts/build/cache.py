"""A build cache outside of BuildKit, for builders that begin with nothing.

    CACHE=registry.example/sutra-cache   a tag for each image and branch, main's read as well
    CACHE=./cache                        a folder for each image

Each holds every step that led to the image (`mode=max`). A cache can only make a build
quicker: one that is not there, or cannot be read, is left out; so is one that holds other
bytes than it says, and a folder is written again.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.common import platforms
from scripts.common.errors import SutraError
from scripts.common.reference import is_place
from scripts.engine import client as engine
from scripts.engine.builders import Builder

KNOB = "CACHE"
MAIN = "main"
# variables with the branch where pipelines check out only a commit: GitHub's, then GitLab's
BRANCHES = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME")
# BuildKit's messages for bytes that do not match their digest
WRONG_BYTES = re.compile(r"unexpected commit (?:digest|size).*|failed to verify.*digest.*")


@dataclass(frozen=True)
class Cache:
    """A place for caches: a repository of a registry, or a folder; and the branch that is built."""

    place: str
    branch: str = MAIN
    architecture: str = platforms.OWN

    @property
    def is_folder(self) -> bool:
        """Return whether it is a folder of this machine."""
        return self.place.startswith(("/", "./", "../"))

    def reads(self, images: Iterable[str]) -> list[str]:
        """Return the values of `--set` that let every target read the images' caches."""
        if self.is_folder:
            names = [self.name(image) for image in images]
            there = [name for name in names if self._is_whole(Path(self.place) / name)]
            sources = [f"type=local,src={self.place}/{name}" for name in there]
        else:
            branches = dict.fromkeys((self.branch, MAIN))
            sources = [
                f"type=registry,ref={self.place}:{tag(self.name(image), branch)}"
                for image in images
                for branch in branches
            ]
        return [f"*.cache-from={source}" for source in sources]

    def _is_whole(self, folder: Path) -> bool:
        """Return whether a cache is there with each blob as its name says; warn of a damaged one.

        A BuildKit that was given other bytes for a layer refuses that layer until it is
        started again ("lease … not found", seen with 0.25 and 0.34).
        """
        if not folder.is_dir():
            return False
        try:
            is_whole = (folder / "index.json").is_file() and all(
                _digest(blob) == blob.name for blob in (folder / "blobs/sha256").iterdir()
            )
        except OSError:
            is_whole = False
        if not is_whole:
            warn_damaged(str(folder), is_folder=True)
        return is_whole

    def writes(self, images: Iterable[str]) -> list[str]:
        """Return the values of `--set` that write each image's cache, to a new place if local."""
        if self.is_folder:
            new = f"type=local,dest={self.place}/{NEW}"
            return [f"{image}.cache-to={new}/{self.name(image)},mode=max" for image in images]
        kind = f"type=registry,ref={self.place}"
        end = "mode=max,ignore-error=true"
        return [
            f"{image}.cache-to={kind}:{tag(self.name(image), self.branch)},{end}"
            for image in images
        ]

    def name(self, image: str) -> str:
        """Return the name of an image's cache: "sutra-api", of another platform with "-arm64"."""
        return platforms.suffixed(self.architecture, image)


def _digest(blob: Path) -> str:
    with blob.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# suffix of this run alone: another one may write to the same folder
NEW = f".new-{os.getpid()}"


def read(environment: Mapping[str, str]) -> Cache | None:
    """Return the cache that the knob names, None without one. Raises SutraError."""
    place = environment.get(KNOB, "").rstrip("/")
    if not place:
        return None
    cache = Cache(place, branch(environment))
    names_repository = "/" in place and is_place(place)
    if "," in place or not (cache.is_folder or names_repository):
        raise SutraError(
            f'{KNOB}: neither host/path nor a folder "{place}"',
            f"such as {KNOB}=registry.example/sutra-cache or {KNOB}=./cache",
        )
    return cache


def require_export(client: engine.Client, builder: Builder) -> None:
    """Raise SutraError for an engine's own builder on the classic store: it writes no cache."""
    if builder.is_engine and not engine.has_containerd_store(client):
        raise SutraError(
            f"{KNOB}: the engine's own BuildKit writes no cache with the classic image store",
            "build with another builder (BUILDER=name, docs/build-farm.md), or without it",
        )


def branch(environment: Mapping[str, str]) -> str:
    """Return the branch that is built, as the pipeline or git names it."""
    named = next((environment[key] for key in BRANCHES if environment.get(key)), "")
    if not named:
        command = ["git", "symbolic-ref", "--quiet", "--short", "HEAD"]
        named = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return named or "detached"


def tag(image: str, branch: str) -> str:
    """Return the tag of an image's cache: "sutra-api-main"."""
    return re.sub(r"[^\w.-]", "-", f"{image}-{branch}", flags=re.ASCII)[:128]


def is_damaged(lines: Iterable[str]) -> bool:
    """Return whether a build failed because its cache does not match its digests."""
    return any(WRONG_BYTES.search(line) for line in lines)


def warn_damaged(place: str, is_folder: bool) -> None:
    """Say that a cache is left out, and what becomes of it.

    A registry has a blob by its digest, whatever its bytes are: it takes no other for it.
    """
    then = (
        " and writing it again" if is_folder else "; delete it in the registry if this comes back"
    )
    print(
        f'{KNOB}: "{place}" does not match its digests: building without it{then}',
        file=sys.stderr,
        flush=True,
    )


@contextmanager
def renewed(cache: Cache | None, images: Iterable[str]) -> Iterator[None]:
    """Put each image's new folder in the place of its old one, when the build in here is done."""
    if cache is None or not cache.is_folder:
        yield
        return
    new = Path(cache.place) / NEW
    try:
        yield
        _replace(new, Path(cache.place), [cache.name(image) for image in images])
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _replace(new: Path, place: Path, images: Iterable[str]) -> None:
    try:
        for image in images:
            if (new / image).is_dir():
                shutil.rmtree(place / image, ignore_errors=True)
                (new / image).rename(place / image)
    except OSError as error:
        raise SutraError(
            f'{KNOB}: cannot write "{place}": {error.strerror}',
            "free some space there, or build without it",
        ) from error
