"""Build groups of the bake file on the real engine, all of them or none.

Knobs come from the environment (see `make help`); what the bake file cannot know
is added here: the root image's context, the private CA, and the labels of the
commit. Images get their tags only when every target was built.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker

from scripts import catalog, engine, roots, tags
from scripts.errors import OK, SutraError, run

# where distributions keep the bundle: Debian and Alpine, Fedora, SUSE
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
)
# A cold build of everything leaves about 4 GB of cache: measured by `docker system df`.
FREE_BYTES = 5_000_000_000
STAGING = "building"
GROUP = "prod"


def build(
    client: docker.DockerClient, groups: Sequence[str], environment: Mapping[str, str] = os.environ
) -> None:
    """Build every target of `groups` and tag the images, or raise SutraError and tag nothing."""
    require_space(client)
    knobs = {"CA_BUNDLE": ca_bundle(environment), **commit_labels()}
    plan = engine.bake_plan(groups, knobs)
    image = roots.root_image(plan)
    if image:
        knobs["ROOT_CONTEXT"] = roots.context(client, image)
    wanted = requested_tags(plan)
    if GROUP in groups:
        catalog.check_against(catalog.load(), wanted, engine.BAKE_FILE)
    image = roots.root_image(plan)
    if image:
        knobs["ROOT_CONTEXT"] = roots.context(client, image)
    staged = {name: f"{name}:{STAGING}" for name in wanted}
    with untagged_afterwards(client, list(staged.values())):
        overrides = [f"{name}.tags={reference}" for name, reference in staged.items()]
        code, lines = engine.bake(groups, overrides, knobs)
        if code:
            raise failure(lines)
        tags.apply(client, tags.plan(client, built(client, wanted, staged)))


def built(
    client: docker.DockerClient, wanted: Mapping[str, Sequence[str]], staged: Mapping[str, str]
) -> dict[str, str]:
    """Return the id that each wanted tag goes to: what stands under the staging tag now."""
    found = {}
    for name, references in wanted.items():
        image = engine.inspect(client, staged[name])
        if image is None:
            raise SutraError(f'build: image vanished "{staged[name]}"', "run `make build` again")
        found.update(dict.fromkeys(references, image["Id"]))
    return found


def requested_tags(plan: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the tags of each target that the plan exports: `{"sutra-api": ["sutra-api:prod"]}`.

    Targets that are only built upon carry an output of their own and no tags.
    """
    return {name: target["tags"] for name, target in plan["target"].items() if target.get("tags")}


def ca_bundle(environment: Mapping[str, str]) -> str:
    """Return the certificates that builders trust: CA_BUNDLE, else the system's, else ""."""
    wanted = environment.get("CA_BUNDLE", "")
    if not wanted:
        return next((path for path in SYSTEM_BUNDLES if Path(path).is_file()), "")
    if not Path(wanted).is_file():
        raise SutraError(
            f'CA_BUNDLE: no such file "{wanted}"', "name a PEM file, or leave CA_BUNDLE out"
        )
    return wanted


def commit_labels() -> dict[str, str]:
    """Return VERSION, REVISION and CREATED of the checked-out commit.

    CREATED is the commit's own time, so that an unchanged tree gives an unchanged
    image. Uncommitted changes show as `-dirty`. Without git all are left at the
    bake file's defaults.
    """
    revision = _git("rev-parse", "HEAD")
    if not revision:
        return {}
    dirty = "-dirty" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return {
        "VERSION": _git("describe", "--tags", "--always", "--dirty"),
        "REVISION": revision + dirty,
        "CREATED": _git("show", "-s", "--format=%cI", "HEAD"),
    }


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def require_space(client: docker.DockerClient, need: int = FREE_BYTES) -> None:
    """Raise SutraError when the engine's disk has under `need` bytes free.

    The disk of another machine's engine cannot be seen from here.
    """
    root = Path(client.info()["DockerRootDir"])
    if not root.exists():
        return
    free = os.statvfs(root).f_bavail * os.statvfs(root).f_frsize
    if free < need:
        raise SutraError(
            f"build: {free / 1e9:.1f} GB free on the engine's disk, {need / 1e9:.1f} GB needed",
            "`docker system df` shows what fills it",
        )


@contextmanager
def untagged_afterwards(client: docker.DockerClient, references: Sequence[str]) -> Iterator[None]:
    """Remove the tags `references` on the way out, also when the build failed."""
    try:
        yield
    finally:
        for reference in references:
            engine.untag(client, reference)


def failure(lines: Sequence[str]) -> SutraError:
    """Return the one clear line for a build whose progress ended in `lines`."""
    text = "\n".join(lines)
    step = next(
        (m[1] for m in map(re.compile(r"^ > \[([^\]]+)\]").match, lines) if m), "the first step"
    )
    reason = next(
        (m[1] for m in map(re.compile(r"^ERROR: (.*)").match, lines) if m), "no reason given"
    )
    if "no space left on device" in text:
        return SutraError(
            f'build: no space left on the engine\'s disk at step "{step}"',
            "`docker system df` shows what fills it",
        )
    if found := re.search(r"(\S+): failed to resolve source metadata", text):
        return SutraError(
            f'build: registry unreachable for "{found[1]}"',
            "check the network, or `docker load` an archive of it, then run `make build` again",
        )
    return SutraError(
        f'build: step failed "{step}": {reason.rpartition("failed to solve: ")[2]}',
        "the step's own output is above; mend it, then run `make build` again",
    )


def main() -> int:
    """Build the groups or targets given on the command line; `prod` without any."""
    parser = argparse.ArgumentParser(prog="python -m scripts.build", description=__doc__)
    parser.add_argument(
        "groups", nargs="*", default=[GROUP], help="groups or targets of the bake file"
    )
    build(engine.connect(), parser.parse_args().groups)
    return OK


if __name__ == "__main__":
    run(main)
