"""A pull request on a clone, whose base branch has recorded the sizes of two images."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.sizes import measure, pull_request
from scripts.checks.sizes.pull_request import Comparison
from scripts.common.labels import BASE_NAME, REVISION, VERSION
from tests.conftest import ROOT
from tests.unit.fakes import FakeEngine, FakeImage, run_git, tar_of

MB = 1_000_000
BASE, API = "sutra-base", "sutra-api"


def package(version: str, size: int, content: bytes = b"x", name: str = "zlib") -> bytes:
    """Return a layer with one package of Debian."""
    library, records = f"usr/lib/{name}.so", f"var/lib/dpkg/status.d/{name}"
    return tar_of(
        {
            library: content * size,
            records: f"Package: {name}\nVersion: {version}\n".encode(),
            f"{records}.md5sums": f"0  {library}\n".encode(),
        }
    )


def ours(size: int) -> bytes:
    """Return a layer with one file of our own: no text, in which secrets would be looked for."""
    return tar_of({"app/model.bin": b"x" * size})


BEFORE = {BASE: [package("1.0", MB)], API: [package("1.0", MB), ours(MB)]}


def catalog(installed: int, download: int = 10 * MB) -> Catalog:
    """Return the promises, where `installed` and `download` are those of the API."""
    budgets = {BASE: Budget(10 * MB, 10 * MB), API: Budget(installed, download)}
    images = tuple(Image(name, budget) for name, budget in budgets.items())
    return Catalog(Path("images.yaml"), images, Budget(10 * MB, 10 * MB))


@dataclass(frozen=True)
class PullRequest:
    """The working directory is the clone; `base` is the commit that main has."""

    engine: FakeEngine
    base: str

    def compare(
        self,
        images: Mapping[str, Sequence[bytes]],
        promises: Catalog,
        **environment: str,
    ) -> Comparison:
        """Compare images as they were built for the pull request."""
        build(self.engine, images, "b" * 40)
        results = measure.verify_all(self.engine, promises)
        variables = {"GITHUB_BASE_REF": "main", **environment}
        return pull_request.compare(self.engine, promises, results, variables)


def build(engine: FakeEngine, images: Mapping[str, Sequence[bytes]], revision: str) -> None:
    """Tag images as a build does."""
    for name, layers in images.items():
        labels = {REVISION: revision, VERSION: revision[:7]}
        if name == API:
            labels[BASE_NAME] = f"{BASE}:prod"
        engine.add(FakeImage(layers, labels=labels), f"{name}:prod")


def opened(
    engine: FakeEngine,
    folder: Path,
    before: Mapping[str, Sequence[bytes]] = BEFORE,
    later: int = 0,
) -> PullRequest:
    """Make an upstream with a record of main, and a clone whose branch has one commit more.

    Main is `later` commits further than what was recorded; without images nothing is recorded.
    """
    engine.chunk = MB  # an archive in chunks of a few bytes takes seconds
    in_folder(folder, "init", "--bare", "upstream.git")
    in_folder(folder, "clone", "--quiet", str(folder / "upstream.git"), "main")
    main = folder / "main"
    in_folder(main, "commit", "--allow-empty", "-m", "one")
    base = in_folder(main, "rev-parse", "HEAD")
    if before:
        write_record(engine, main, base, before)
        assert push_sizes(main).returncode == 0
    for number in range(later):
        in_folder(main, "commit", "--allow-empty", "-m", f"later {number}")
    in_folder(main, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    in_folder(folder, "clone", "--quiet", "--branch", "main", str(folder / "upstream.git"), "clone")
    in_folder(folder / "clone", "commit", "--allow-empty", "-m", "two")
    return PullRequest(engine, base)


def copied(engine: FakeEngine, folder: Path, original: Path) -> PullRequest:
    """Return what `opened` makes, as a copy of what it made in `original`: no git is run."""
    engine.chunk = MB
    for name in ("upstream.git", "main", "clone"):
        shutil.copytree(original / name, folder / name)
    for name in ("main", "clone"):
        config = folder / name / ".git/config"
        config.write_text(config.read_text().replace(str(original), str(folder)))
    base = (folder / "upstream.git/refs/heads/main").read_text().strip()
    build(engine, BEFORE, base)
    return PullRequest(engine, base)


def write_record(
    engine: FakeEngine, folder: Path, commit: str, images: Mapping[str, Sequence[bytes]]
) -> None:
    """Record the sizes of images for a commit."""
    build(engine, images, commit)
    promises = catalog(10 * MB)
    chosen = tuple(image for image in promises.images if image.name in images)
    text = pull_request.recorded_text(engine, replace(promises, images=chosen), commit)
    file = folder / ".build/sizes/debian" / f"{commit}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def in_folder(folder: Path, *words: str) -> str:
    return run_git("-C", str(folder), *words)


def push_sizes(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts/push_sizes.sh", *words], cwd=folder, capture_output=True, text=True
    )
