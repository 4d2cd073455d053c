"""`./clean-and-rebuild.sh`: build without cache, verify, promote, deploy; then remove the old.

A build that fails, a check that fails or a stack that does not become healthy removes nothing:
the old `:latest` stays, and until the deployment the running stack is not touched. With
--free-space-first the old images go first, but never `:latest` nor what a container uses.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.build import bake as build
from scripts.cleaning import clean, resources
from scripts.cleaning import scope as scopes
from scripts.cleaning.resource import Resource
from scripts.commands import clean as clean_command
from scripts.commands import prod
from scripts.common import arguments, git, settings
from scripts.common.errors import OK, SutraError
from scripts.engine import client as engine
from scripts.promotion import refusals, transaction
from scripts.promotion.options import Options

DEPLOY = Path("sutra-deploy.sh")
QUESTION = 'rebuild and deploy project "{}", then remove all this?'
# compose replaces these when it deploys
DEPLOYED = ("container", "network")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    clean_command.add_arguments(parser)
    parser.add_argument(
        "--free-space-first", action="store_true", help="remove old images before the build"
    )


def main(options: argparse.Namespace) -> int:
    """Show, ask, build, verify, promote, deploy, remove; stop at the first that fails."""
    knobs = arguments.knobs(options)
    promotion = Options.read(knobs)  # a wrong knob ends it before anything is removed
    if not promotion.allow_dirty:
        refuse_unclean()
    client, name = engine.connect(), settings.project(knobs)
    scope, selection = scopes.read(name), clean_command.selection_of(knobs)
    with transaction.begun(client, promotion.dry_run):
        there = resources.of_project(client, scope, selection)
    shown = [resource for resource in there if resource.kind not in DEPLOYED]
    clean.show(name, shown)
    if promotion.dry_run:
        return OK
    clean.confirm(shown, settings.flag(knobs, "YES"), QUESTION.format(name))
    with transaction.exclusive(client):
        clean.remove(client, first(client, shown, options.free_space_first))
    code = prod.make(client, no_cache=True) or deploy(any_data(shown))
    if code:
        print("clean-and-rebuild: stopped, nothing more was removed", file=sys.stderr)
        return code
    with transaction.exclusive(client):
        clean.remove(client, last(client, resources.of_project(client, scope, selection), shown))
    return OK


def refuse_unclean() -> None:
    """Raise SutraError where what is built would not be promoted in the end."""
    revision = git.labels(allow_unreadable=True).get("REVISION", "")
    if not revision and (problem := git.unreadable_commit()):
        raise SutraError(problem.message, f"{problem.tip}; nothing was touched")
    if refusals.unclean({}, revision):
        raise SutraError(
            "clean-and-rebuild: no clean commit is checked out, nothing would be promoted",
            "commit first, or ALLOW_DIRTY=1 promotes it as it is; nothing was touched",
        )


def first(client: engine.Client, shown: Sequence[Resource], images_too: bool) -> list[Resource]:
    """Return what goes before the build: cache mounts, or the build would not be a new one.

    With `images_too` also the images that nobody would miss if the build failed.
    """
    used = in_use(client)
    return [
        resource
        for resource in shown
        if resource.kind == "cache"
        or (
            images_too
            and resource.kind == "image"
            and resource.id not in used
            and not any(tag.endswith(":latest") for tag in resource.tags)
        )
    ]


def in_use(client: engine.Client) -> set[str]:
    """Return the ids of the images of all containers, this project's and others'."""
    with engine.request("list its containers"):
        return {container["ImageID"] for container in client.api.containers(all=True)}


def any_data(shown: Sequence[Resource]) -> bool:
    """Return whether a data volume is to go."""
    return any(resource.kind == "volume" and not resource.kept for resource in shown)


def deploy(new_data: bool) -> int:
    """Deploy what was promoted, and return the exit code; `new_data` starts with an empty store."""
    if new_data:
        done = subprocess.run([f"./{DEPLOY}", "down", "--data", "--yes"], check=False)
        if done.returncode:
            return done.returncode
    return subprocess.run([f"./{DEPLOY}", "up"], check=False).returncode


def last(
    client: engine.Client, now: Sequence[Resource], shown: Sequence[Resource]
) -> list[Resource]:
    """Return the images that were shown, that nothing runs, and that are not the new ones.

    SUTRA_TAG may have deployed an older version than the one just promoted.
    """
    new, used = scopes.read(settings.project(os.environ), [build.GROUP]).tags, in_use(client)
    return [
        resource
        for resource in resources.only(now, shown)
        if resource.kind == "image"
        and resource.id not in used
        and not new.intersection(resource.tags)
    ]
