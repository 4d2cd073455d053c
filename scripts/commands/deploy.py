"""Run the stack on an orchestrator; `./sutra-deploy.sh up TARGET=…` calls it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from scripts.common import arguments, settings
from scripts.common.errors import SutraError
from scripts.deploy import cluster_keys, kubernetes, kubernetes_down, release, stack_file, swarm
from scripts.deploy.kubectl import Kubectl
from scripts.engine import client as engine
from scripts.history import journal

VERBS = ("up", "down", "status")
TARGETS = ("kubernetes", "swarm")
OVERLAY = "cluster"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("verb", choices=VERBS)
    arguments.value(parser, "target", "what runs it", TARGETS)
    arguments.value(parser, "overlay", "Kubernetes: one-node, cluster or the path of a folder")
    arguments.value(
        parser,
        "publish",
        "Swarm: whether any node answers on a port, or each for its own replica",
        swarm.PUBLISH,
    )
    parser.add_argument(
        "--compose", type=Path, help="Swarm: what `docker compose config --format json` printed"
    )
    parser.add_argument("--data", action="store_true", help="down: remove the data as well")
    parser.add_argument("--yes", action="store_true", help="down --data: do not ask")
    arguments.flag(parser, "dry-run", "show what would change")


def main(options: argparse.Namespace) -> int:
    """Deploy, take down or show the stack on TARGET."""
    target = arguments.knobs(options).get("TARGET")
    if target not in TARGETS:
        raise SutraError(f'TARGET: unknown "{target or ""}"', f"one of {', '.join(TARGETS)}")
    if options.data and options.verb != "down":
        options.error("--data goes with down")
    if options.verb == "up":
        refuse_pending()
    dry_run = arguments.is_set(options, "DRY_RUN")
    return (on_swarm if target == "swarm" else on_kubernetes)(options, dry_run)


def on_kubernetes(options: argparse.Namespace, dry_run: bool) -> int:
    """Speak to the cluster of kubectl's current context."""
    knobs = arguments.knobs(options)
    kubectl = Kubectl(release.namespace(settings.project(os.environ)))
    if options.verb == "down":
        return kubernetes_down.down(kubectl, options.data, options.yes, dry_run)
    if options.verb == "status":
        return kubernetes.status(kubectl)
    key = cluster_keys.api_key(knobs)
    folder = release.overlay(knobs.get("OVERLAY") or OVERLAY)
    return kubernetes.up(kubectl, folder, key, dry_run)


def on_swarm(options: argparse.Namespace, dry_run: bool) -> int:
    """Speak to the swarm that the engine manages."""
    publish = arguments.knobs(options).get("PUBLISH") or swarm.PUBLISH[0]
    if publish not in swarm.PUBLISH:
        raise SutraError(f'PUBLISH: unknown "{publish}"', f"one of {', '.join(swarm.PUBLISH)}")
    if not options.compose:
        options.error("--compose goes with swarm; ./sutra-deploy.sh gives it")
    call = swarm.Call(stack_file.read(options.compose), publish, dry_run)
    client = engine.connect()
    if options.verb == "down":
        return swarm.down(client, call, options.data)
    if options.verb == "status":
        return swarm.status(client, call.project)
    return swarm.up(client, call)


def refuse_pending() -> None:
    """Raise SutraError while some tags may be on new images and others on old ones."""
    if journal.read():
        raise SutraError(
            "up: .build/promotion.json: a promotion has not ended, nothing was touched",
            "`make promote` or `make rollback` waits for it or settles it; then run it again",
        )
