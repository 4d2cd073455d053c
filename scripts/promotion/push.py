"""Push what is about to be promoted, under tags that nobody deploys."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace

from scripts.common import platforms
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import images, registries
from scripts.engine.move import Move
from scripts.history import journal
from scripts.history.journal import Intent
from scripts.image import zstd_layers
from scripts.oci import sources
from scripts.oci.registry_tags import Registry
from scripts.promotion import compression, moved_tags, platform_index
from scripts.promotion.planned import Plan, kept_tag, refuse_moved_version


def push_all(client: engine.Client, target: Registry, intent: Intent, plan: Plan) -> Intent:
    """Push every image under a tag that names it, bases first; return the intent with digests.

    Nothing that anyone deploys has moved by then.
    """
    digests: dict[tuple[str, str], str] = {}
    for (name, _), identity in plan.identities.items():
        if (name, identity) not in digests:
            digests[name, identity] = _pushed(client, target, plan, name, identity)
    remote, indexes = [], platform_index.Indexes(target)
    for reference, group in platform_index.groups(target, plan).items():
        first = next(iter(group.values()))
        after = digests[first]
        if platform_index.is_index(reference, group):
            manifests = {architecture: digests[key] for architecture, key in group.items()}
            after = indexes.put(reference, manifests)
        remote.append(Move(reference, target.digest(reference), after))
    refuse_moved_version(remote, intent.entry.version)
    moved_tags.refuse_changed(remote, plan.places)
    # new tags come last: not every registry can remove them again
    remote.sort(key=lambda move: move.before is None)
    named = platform_index.of_entry(indexes, intent.entry, digests)
    # and signatures first of all: no tag is on an image whose signature is not there
    remote = [*signatures(plan, digests, named), *remote]
    images = {
        name: replace(image, digest=named[name]) for name, image in intent.entry.images.items()
    }
    intent = replace(intent, remote=tuple(remote), entry=replace(intent.entry, images=images))
    journal.write(intent)
    return intent


def signatures(
    plan: Plan, digests: Mapping[tuple[str, str], str], named: Mapping[str, str]
) -> list[Move]:
    """Sign every image that was pushed, and each index that the ledger names; return the moves.

    An index is signed once, as what its first platform is.
    """
    if not plan.sign:
        return []
    first: dict[tuple[str, str], tuple[str, str]] = {}
    for name, image in plan.entry.images.items():
        if named[name] != digests[name, image.id]:
            first.setdefault((platforms.image_of(name), named[name]), (name, image.id))
    indexes = {key: digest for (_, digest), key in first.items()}
    return [*plan.sign(digests), *(plan.sign(indexes) if indexes else [])]


def _pushed(client: engine.Client, target: Registry, plan: Plan, name: str, identity: str) -> str:
    """Push one image as the plan says; return the digest to which its tags go."""
    reference = target.reference(name, kept_tag(identity))
    earlier = plan.zstd.get((name, identity))
    if earlier and target.has(reference, earlier):
        return earlier
    digest = push_one(client, target, name, identity)
    if earlier is None:
        return digest
    source = sources.find(client, identity)
    if source is None:
        raise SutraError(f'engine: image no longer exists "{name}@{identity}"', "run `make build`")
    print(f"pushing {reference}{compression.KEPT_SUFFIX}", file=sys.stderr, flush=True)
    return compression.push(target, reference, digest, zstd_layers.packed(source))


def push_one(client: engine.Client, target: Registry, name: str, identity: str) -> str:
    """Push one image; return the registry's digest of it, which is the engine's own."""
    reference = target.reference(name, kept_tag(identity))
    images.tag(client, identity, reference)
    print(f"pushing {reference}", file=sys.stderr, flush=True)
    registries.push(client, reference)
    digest = target.digest(reference)
    local = images.digests(client, reference)
    images.untag(client, reference)
    if digest is None or digest not in local:
        raise SutraError(
            f'registry: digest of "{reference}" is {digest}, the engine has {", ".join(local)}',
            "retry, or ask the registry's administrators",
        )
    return digest
