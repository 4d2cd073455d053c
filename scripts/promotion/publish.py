"""Tag one image that is in no release, and push and sign it, after its checks: the checker's.

No ledger has it and no rollback needs it. The registry's tags move before the engine's, those of
signatures first; what was interrupted is finished by the same command.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from scripts.common import git
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import tags
from scripts.engine.move import Move
from scripts.oci.registry_artifacts import ArtifactRegistry
from scripts.oci.registry_tags import Registry
from scripts.promotion import plan, promote, push, refusals, signatures
from scripts.promotion.options import Options
from scripts.promotion.planned import refuse_moved_version
from scripts.promotion.signatures import Signing


def prepared(client: engine.Client, name: str, options: Options) -> Signing | None:
    """Return what signs the image, None without a key.

    Raises SutraError for whatever would fail after the build: a key without a registry, a
    registry that does not answer, or a commit that cannot be read, for what others are to have.
    """
    signatures.require_registry(options.sign_key, options.registry)
    if options.registry:
        Registry(client, options.registry).tags(name)
    if options.registry or options.version:
        refusals.refuse_unreadable_commit(options)
    return signatures.prepared([name], options.sign_key, options.version, options.log)


def publish(
    client: engine.Client, name: str, identity: str, options: Options, signing: Signing | None
) -> list[Move]:
    """Move `latest`, or a version's tags, to the image; return the moves, the registry's first.

    Raises SutraError, and moves nothing, for a version that is another image already, and for an
    image of no clean commit that a version or a registry would have.
    """
    _refuse_unclean(client, name, identity, options)
    target = ArtifactRegistry(client, options.registry) if options.registry else None
    names = promote.tags_to_set(client, [name], target, [], options.version)
    local = tags.plan(client, {f"{name}:{tag}": identity for tag in names})
    refuse_moved_version(local, options.version)
    remote: list[Move] = []
    if target and options.dry_run:  # the digest there is known when it is pushed
        remote = _moves(target, name, names, identity)
    elif target:
        remote = _push(client, target, name, identity, names, options, signing)
    if not options.dry_run:
        tags.apply(client, local)
    for move in (*remote, *local):
        word = "would move" if options.dry_run else "promoted"
        print(f"{word} {plan.describe(move)}", file=sys.stderr)
    return [*remote, *local]


def _moves(target: Registry, name: str, names: Sequence[str], digest: str) -> list[Move]:
    references = [target.reference(name, tag) for tag in names]
    return [Move(reference, target.digest(reference), digest) for reference in references]


def _refuse_unclean(client: engine.Client, name: str, identity: str, options: Options) -> None:
    """Raise SutraError for what others would get and no clean commit names."""
    if options.allow_dirty or not (options.registry or options.version):
        return
    commit = git.labels().get("REVISION", "")
    for problem in refusals.unclean(plan.revisions(client, {name: identity}), commit):
        raise SutraError(problem, "commit, then run the same command again; or ALLOW_DIRTY=1")


def _push(
    client: engine.Client,
    target: ArtifactRegistry,
    name: str,
    identity: str,
    names: Sequence[str],
    options: Options,
    signing: Signing | None,
) -> list[Move]:
    """Push the image, sign it, and move its tags in the registry; return those moves."""
    digest = push.push_one(client, target, name, identity)
    moves = _moves(target, name, names, digest)
    refuse_moved_version(moves, options.version)
    signed = signing.to(client, target, {})({(name, identity): digest}) if signing else []
    # no tag is on an image whose signature is not there
    for move in (*signed, *moves):
        if move.before != move.after:
            target.move(move.tag, move.after)
    return [*signed, *moves]
