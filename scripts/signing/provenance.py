"""SLSA v1 provenance: what an image was built from, and by whom.

Materials are the commit, the root image by its digest, and every lock by its hash. The builder is
a hosted CI's runner only where that CI says so itself (SLSA's L2); anything else is L1.
Source: https://slsa.dev/spec/v1.0/provenance.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from scripts.common import git, reference
from scripts.common.errors import SutraError
from scripts.common.labels import REVISION, ROOT

BUILD_TYPE = "urn:sutra:build:make-prod:v1"
LOCAL = "urn:sutra:builder:local"
LOCKS = ("*.lock", "go.sum")
# locks of what never reaches an image
TESTS = "requirements-test.lock"
Plan = Mapping[str, Any]


def predicate(
    plan: Plan, image: str, labels: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, Any]:
    """Return the predicate of one image of the bake plan."""
    target = plan["target"].get(image)
    if target is None:
        raise SutraError(f'docker-bake.hcl: no target "{image}"', "a provenance names its inputs")
    revision = labels.get(REVISION, "")
    materials = [_commit(revision)] if revision else []
    materials += _root(image, labels)
    materials += [_lock(path) for path in sorted(set(locks(plan, image)))]
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "target": image,
                "dockerfile": target.get("dockerfile", "Dockerfile"),
                "base": target.get("args", {}).get("BASE", ""),
            },
            "internalParameters": {},
            "resolvedDependencies": materials,
        },
        "runDetails": run_details(environment),
    }


def run_details(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return who built: a runner that GitHub hosts, by its own words, or this machine."""
    server, repository = environment.get("GITHUB_SERVER_URL"), environment.get("GITHUB_REPOSITORY")
    hosted = environment.get("RUNNER_ENVIRONMENT") == "github-hosted"
    if not (environment.get("GITHUB_ACTIONS") == "true" and hosted and server and repository):
        return {"builder": {"id": LOCAL}}
    run = f"{environment.get('GITHUB_RUN_ID', '')}/attempts/{environment.get('GITHUB_RUN_ATTEMPT')}"
    return {
        "builder": {"id": f"{server}/{environment.get('GITHUB_WORKFLOW_REF', repository)}"},
        "metadata": {"invocationId": f"{server}/{repository}/actions/runs/{run}"},
    }


def locks(plan: Plan, name: str) -> Iterator[Path]:
    """Yield the locks beside a target's Dockerfile, and beside those that it is built upon."""
    target = plan["target"].get(name) or {}
    context = target.get("context", ".")
    file = PurePosixPath(context) / target.get("dockerfile", "Dockerfile")
    for pattern in LOCKS:
        for path in Path(file.parent).glob(pattern):
            if path.name != TESTS:
                yield path
    for other in (target.get("contexts") or {}).values():
        if other.startswith("target:"):
            yield from locks(plan, other.removeprefix("target:"))


def _commit(revision: str) -> dict[str, Any]:
    return {
        "uri": f"git+{git.origin() or 'urn:sutra:checkout'}",
        "digest": {"gitCommit": revision.removesuffix("-dirty")},
    }


def _root(image: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    root = reference.read(labels.get(ROOT, ""))
    if root is None or not root.digest:
        print(
            f"provenance: {image}: no label {ROOT}, the root image is not listed", file=sys.stderr
        )
        return []
    uri = f"pkg:docker/{root.name}" + (f"@{root.tag}" if root.tag else "")
    return [{"uri": uri, "digest": {"sha256": reference.digits(root.digest)}}]


def _lock(path: Path) -> dict[str, Any]:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SutraError(f"{path}: cannot be read: {error.strerror}", f"`ls -l {path}`") from error
    return {"uri": f"file:{path.as_posix()}", "name": path.name, "digest": {"sha256": digest}}
