"""Build one image of a commit again: from a fresh folder, without cache, under a tag of its own."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from pathlib import Path

from scripts.build import bake
from scripts.build.failure import failure
from scripts.common import git, settings
from scripts.common.errors import SutraError
from scripts.common.labels import PREFIX, REVISION, ROOT, VERSION
from scripts.engine import builders, buildx, images
from scripts.engine import client as engine


@contextmanager
def built_again(
    client: engine.Client, name: str, commit: str, labels: Mapping[str, str]
) -> Iterator[str]:
    """Yield the reference of the image `name`, built from `commit`; it is removed afterwards.

    `labels` are those of the image that was promoted: what the builder was told then. Raises
    SutraError for a commit that is not there and for a build that fails.
    """
    reference = f"{name}:again-{os.getpid()}"
    builder = builders.find(os.environ)
    with tempfile.TemporaryDirectory(prefix="sutra-reproduce-") as folder:
        _unpack(commit, Path(folder))
        variables = _variables(labels)
        with chdir(folder):
            plan = buildx.bake_plan([name], variables)
        root = bake.plan_variables(client, plan, builder)
        _warn_other_root(name, labels, root.get("ROOT", ""))
        overrides = [f"{name}.tags={reference}", "*.no-cache=true", *bake.loaded(plan, [name])]
        with bake.untagged_afterwards(client, [reference]):
            with chdir(folder):
                code, lines = buildx.bake([name], overrides, {**variables, **root})
            if code:
                raise failure(lines, builder)
            if images.inspect(client, reference) is None:
                raise SutraError(
                    f'reproduce: image no longer exists "{reference}"', "run the same command again"
                )
            yield reference


def _unpack(commit: str, folder: Path) -> None:
    """Write the commit's files, with the commit's time and modes of no umask."""
    try:
        data = git.ask("-c", "tar.umask=0022", "archive", "--format=tar", commit)
    except git.GitError as error:
        raise SutraError(
            f'reproduce: no such commit here "{commit}": {error.reason}',
            "`git fetch` it, then run the same command again",
        ) from error
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(folder, filter="tar")


def _variables(labels: Mapping[str, str]) -> dict[str, str]:
    """Return what the builder was told when the image was built, by its labels."""
    created = labels.get(f"{PREFIX}created", "")
    values = {
        "VERSION": labels.get(VERSION, ""),
        "REVISION": labels.get(REVISION, ""),
        "CREATED": created,
        settings.KNOB: labels.get("org.sutra.project", settings.PROJECT),
        "SOURCE_DATE_EPOCH": bake.epoch(created),
    }
    bundle = settings.ca_bundle(os.environ)
    return {
        "CA_BUNDLE": str(Path(bundle).resolve()) if bundle else "",
        **builders.variables(os.environ),
        **{name: value for name, value in values.items() if value},
    }


def _warn_other_root(name: str, labels: Mapping[str, str], root: str) -> None:
    before = labels.get(ROOT, "")
    if before and root and before != root:
        print(f"reproduce: {name}: was built on {before}, the root here is {root}", file=sys.stderr)
