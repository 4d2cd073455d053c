"""What changed in a service since its commit: its own files, which need a build, or its bases'.

A service that `make rebase` moves keeps the layers of an earlier commit. That is right for as long
as a commit since then changes only what its bases are made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from scripts.build import graph
from scripts.build.graph import Node
from scripts.common import git
from scripts.common.errors import SutraError
from scripts.debian import builders_lock

# This lock changes with nearly every security update of Debian's: libc6 is in every builder. A
# moved service was compiled with the packages of the earlier lock, which its provenance names.
COMPILERS = builders_lock.LOCK.as_posix()
# rules and program of the cleanup: a base has them of its own, a service gets the whole folder
CLEANUP = ("base-images/cleanup", "base-images/lib/sutra_cleanup")
PRODUCTION = ":prod"
SINCE = "changed since its commit"


def problems(nodes: Mapping[str, Node], name: str, revision: str, commit: str) -> list[str]:
    """Return a line if a service's own files changed from its commit `revision` to `commit`."""
    changed = list(own(nodes, name, git.changed_between(revision, commit)))
    if not changed:
        return []
    more = f" (+{len(changed) - 1} more)" if changed[1:] else ""
    return [f'{name}: is made of "{changed[0]}"{more}, {SINCE} "{revision}"']


def compiled_otherwise(nodes: Mapping[str, Node], name: str, revision: str, commit: str) -> bool:
    """Return whether the packages that compile a service changed from `revision` to `commit`."""
    uses = any(graph.matches(COMPILERS, path) for path in _its(nodes, name))
    return uses and COMPILERS in git.changed_between(revision, commit)


def own(nodes: Mapping[str, Node], name: str, files: Iterable[str]) -> Iterator[str]:
    """Yield those of `files` that a service is made of besides its bases.

    Of a file that both name, the longer path tells: the folder `base-images`, which a service
    mounts, says less than `base-images/packages.lock`. Where they are equal it is the service's.
    """
    its, theirs = _its(nodes, name), _theirs(nodes, name)
    for file in sorted(set(files) - {COMPILERS}):
        length = _longest(file, its)
        if length and length >= _longest(file, theirs):
            yield file


def _its(nodes: Mapping[str, Node], name: str) -> set[str]:
    """Return the paths that a service is made of, and what builds it."""
    if name not in nodes:
        raise SutraError(
            f'{graph.BAKE_FILE}: no target "{name}"', "it names what an image is made of"
        )
    builders = nodes[name].needs - _bases(nodes, name)
    below = [node for need in builders for node in graph.below(nodes, need)]
    return {graph.BAKE_FILE, *CLEANUP}.union(*(node.files for node in [nodes[name], *below]))


def _theirs(nodes: Mapping[str, Node], name: str) -> set[str]:
    """Return the paths that a service's bases are made of."""
    bases = [node for need in _bases(nodes, name) for node in graph.below(nodes, need)]
    return set[str]().union(*(node.files for node in bases))


def _bases(nodes: Mapping[str, Node], name: str) -> set[str]:
    return {need for need in nodes[name].needs if _is_production(nodes, need)}


def _is_production(nodes: Mapping[str, Node], name: str) -> bool:
    image = nodes.get(graph.called(nodes, name))
    return image is not None and any(tag.endswith(PRODUCTION) for tag in image.tags)


def _longest(file: str, paths: Iterable[str]) -> int:
    return max((len(path) for path in paths if graph.matches(file, path)), default=0)
