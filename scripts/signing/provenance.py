"""SLSA v1 provenance: what an image was built from, and by whom.

Materials are the commit, the root image by its digest, and every lock by its hash, as that commit
has it. The builder is a hosted CI's runner only where that CI says so itself (SLSA's L2); anything
else is L1.
Source: https://slsa.dev/spec/v1.0/provenance.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from scripts.common import git, reference
from scripts.common.errors import SutraError
from scripts.common.labels import BASE_DIGEST, BASE_NAME, BASE_REVISION, BUILD_ROOT, REVISION, ROOT

BUILD_TYPE = "urn:sutra:build:make-prod:v1"
# type for a service on another base: each of its materials is of its own commit or of the base's
REBASE_TYPE = "urn:sutra:build:make-rebase:v1"
LOCAL = "urn:sutra:builder:local"
LOCKS = ("*.lock", "go.sum")
# locks of what never reaches an image
TESTS = "requirements-test.lock"
TARGET = "target:"
Plan = Mapping[str, Any]
Materials = list[dict[str, Any]]


def predicate(
    plan: Plan, image: str, labels: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, Any]:
    """Return the predicate of one image of the bake plan."""
    target = plan["target"].get(image)
    if target is None:
        raise SutraError(f'docker-bake.hcl: no target "{image}"', "a provenance names its inputs")
    external = {
        "target": image,
        "dockerfile": target.get("dockerfile", "Dockerfile"),
        "base": target.get("args", {}).get("BASE", ""),
    }
    build_type, materials = BUILD_TYPE, _built(plan, image, labels)
    if BASE_DIGEST in labels:
        build_type, materials = REBASE_TYPE, _rebased(plan, image, labels)
        external["base_digest"] = labels[BASE_DIGEST]
    return {
        "buildDefinition": {
            "buildType": build_type,
            "externalParameters": external,
            "internalParameters": {},
            "resolvedDependencies": materials,
        },
        "runDetails": run_details(environment),
    }


def _built(plan: Plan, image: str, labels: Mapping[str, str]) -> Materials:
    """Return the materials of an image that one commit has built."""
    revision = labels.get(REVISION, "")
    locks = _locks(folders(plan, image), revision)
    return [*_commit(revision), *_root(image, labels.get(ROOT, "")), *locks]


def _rebased(plan: Plan, image: str, labels: Mapping[str, str]) -> Materials:
    """Return the materials of a service that was put on another base, of its layers and of that."""
    context = labels.get(BASE_NAME, "")
    base = (plan["target"][image].get("contexts") or {}).get(context, "").removeprefix(TARGET)
    revisions = labels.get(REVISION, ""), labels.get(BASE_REVISION, "")
    root = labels.get(ROOT, "")
    own = [
        *_commit(revisions[0]),
        *_root(image, labels.get(BUILD_ROOT, root)),
        *_locks(folders(plan, image, without=base), revisions[0]),
    ]
    below = [
        *_commit(revisions[1]),
        *_root(image, root),
        *_locks(folders(plan, base), revisions[1]),
    ]
    parts = {"service": own, "base": below}
    return [
        {**material, "annotations": {"layers": part}}
        for part, materials in parts.items()
        for material in materials
    ]


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


def folders(plan: Plan, name: str, without: str = "") -> set[PurePosixPath]:
    """Return the folders of a target's Dockerfile and of those that it is built upon.

    The target `without` and what only that is built upon are left out.
    """
    target = plan["target"].get(name)
    if target is None or name == without:
        return set()
    context = PurePosixPath(target.get("context", "."))
    own = (context / target.get("dockerfile", "Dockerfile")).parent
    others = (target.get("contexts") or {}).values()
    needs = [other.removeprefix(TARGET) for other in others if other.startswith(TARGET)]
    return {own}.union(*(folders(plan, need, without) for need in needs))


def _commit(revision: str) -> Materials:
    if not revision:
        return []
    uri = f"git+{git.origin() or 'urn:sutra:checkout'}"
    return [{"uri": uri, "digest": {"gitCommit": revision.removesuffix("-dirty")}}]


def _root(image: str, label: str) -> Materials:
    root = reference.read(label)
    if root is None or not root.digest:
        print(
            f"provenance: {image}: no label {ROOT}, the root image is not listed", file=sys.stderr
        )
        return []
    uri = f"pkg:docker/{root.name}" + (f"@{root.tag}" if root.tag else "")
    return [{"uri": uri, "digest": {"sha256": reference.digits(root.digest)}}]


def _locks(places: Iterable[PurePosixPath], revision: str) -> Materials:
    """Return every lock in these folders, as the image's commit has it."""
    here = git.commit()
    is_here = not here or revision.removesuffix("-dirty") in ("", "unknown", here)
    paths = sorted(
        path
        for place in places
        for path in (_present(place) if is_here else git.names_at(revision, str(place)))
        if _is_lock(PurePosixPath(path).name)
    )
    return [
        _lock(path, _content(Path(path)) if is_here else git.content_at(revision, path))
        for path in paths
    ]


def _lock(path: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"uri": f"file:{path}", "name": PurePosixPath(path).name, "digest": {"sha256": digest}}


def _is_lock(name: str) -> bool:
    return name != TESTS and any(fnmatchcase(name, pattern) for pattern in LOCKS)


def _present(place: PurePosixPath) -> list[str]:
    return [path.as_posix() for path in Path(place).glob("*")]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SutraError(f"{path}: cannot be read: {error.strerror}", f"`ls -l {path}`") from error
