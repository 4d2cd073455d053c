"""Run the stack on an orchestrator; `./sutra-deploy.sh up TARGET=kubernetes` calls it."""

from __future__ import annotations

import argparse
import os

from scripts.common import arguments, settings
from scripts.common.errors import SutraError
from scripts.deploy import cluster_keys, kubernetes, kubernetes_down, release
from scripts.deploy.kubectl import Kubectl
from scripts.history import journal

VERBS = ("up", "down", "status")
TARGETS = ("kubernetes",)
OVERLAY = "cluster"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("verb", choices=VERBS)
    arguments.value(parser, "target", "what runs it", TARGETS)
    arguments.value(parser, "overlay", "of Kubernetes: one-node, cluster or the path of a folder")
    parser.add_argument("--data", action="store_true", help="down: the data as well")
    parser.add_argument("--yes", action="store_true", help="down --data: ask nothing")
    arguments.flag(parser, "dry-run", "show what would change")


def main(options: argparse.Namespace) -> int:
    """Deploy, take down or show the stack on TARGET."""
    knobs = arguments.knobs(options)
    dry_run = arguments.is_set(options, "DRY_RUN")
    if options.data and options.verb != "down":
        options.error("--data goes with down")
    kubectl = Kubectl(release.namespace(settings.project(os.environ)))
    if options.verb == "down":
        return kubernetes_down.down(kubectl, options.data, options.yes, dry_run)
    if options.verb == "status":
        return kubernetes.status(kubectl)
    refuse_pending()
    key = cluster_keys.given(knobs)
    folder = release.overlay(knobs.get("OVERLAY") or OVERLAY)
    return kubernetes.up(kubectl, folder, key, dry_run)


def refuse_pending() -> None:
    """Raise SutraError while some tags may be on new images and others on old ones."""
    if journal.read():
        raise SutraError(
            "up: .build/promotion.json: a promotion has not ended, nothing was touched",
            "`make promote` or `make rollback` waits for it or settles it; then run it again",
        )
