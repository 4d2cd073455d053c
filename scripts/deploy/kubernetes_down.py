"""Taking the stack off a cluster. The data stay, unless somebody asks for them by name."""

from __future__ import annotations

import sys

from scripts.common.confirm import typed
from scripts.common.errors import OK, SutraError
from scripts.deploy import cluster, cluster_keys
from scripts.deploy.kubectl import Kubectl
from scripts.deploy.kubernetes import KINDS, require_ours
from scripts.deploy.release import LABEL


def down(kubectl: Kubectl, data: bool, yes: bool, dry_run: bool = False) -> int:
    """Delete what `up` made. Claims and keys go with `data`, after their names were typed."""
    namespace = kubectl.find("namespace", kubectl.namespace)
    if not namespace:
        print(f'sutra-deploy: down: no namespace "{kubectl.namespace}"', file=sys.stderr)
        return OK
    require_ours(kubectl, namespace)
    scope = f"--selector={LABEL}={kubectl.namespace}"
    claims = cluster.claims(kubectl) if data else []
    dry = ["--dry-run=server"] if dry_run else []
    if claims and not dry_run:
        _confirm(claims, yes)
    print(kubectl.run("delete", KINDS, scope, *dry), end="")
    if claims:
        # not by their label: what was shown, and nothing else
        print(kubectl.run("delete", "persistentvolumeclaim", *claims, *dry), end="")
    if data:
        names = [cluster_keys.STORAGE, cluster_keys.API]
        print(kubectl.run("delete", "secret", *names, "--ignore-not-found", *dry), end="")
    return OK


def _confirm(claims: list[str], yes: bool) -> None:
    """Raise SutraError unless the claims' names are typed, or `yes`."""
    names = " ".join(claims)
    print(f"sutra-deploy: down --data deletes every concept in: {names}", file=sys.stderr)
    if yes:
        return
    answer = typed("down --data", "type the claim's name to delete it: ", "add --yes", input)
    if answer != names:
        raise SutraError(
            f'down --data: not the name "{answer}", nothing was touched',
            "`./sutra-deploy.sh down TARGET=kubernetes` keeps the data",
        )
