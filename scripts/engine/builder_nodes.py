"""The nodes of a builder, and the one to which buildx sends the builds of a platform.

Source: docker/buildx, build/driver.go (nodeResolver) and build/build.go (filterAvailableNodes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scripts.common import platforms

RUNNING = "running"
# mark of a platform that a node was created for: `docker buildx create --platform`
ASSIGNED = "*"


@dataclass(frozen=True)
class Node:
    """One BuildKit of a builder; `assigned` are the platforms that it was created for.

    The status of a node that buildx has an error for is "".
    """

    name: str
    address: str
    status: str
    platforms: tuple[str, ...] = ()
    assigned: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """Return whether it answered."""
        return self.status == RUNNING


def parse(text: str) -> Iterator[Node]:
    """Yield the nodes that `docker buildx inspect` printed, in the order of their creation."""
    _, *blocks = re.split(r"^(?=Name: +\S+\nEndpoint: )", text, flags=re.MULTILINE)
    for block in blocks:
        listed = re.search(r"^Platforms: +(.+)", block, re.MULTILINE)
        names = listed[1].split(", ") if listed else []
        yield Node(
            value("Name", block),
            value("Endpoint", block),
            value("Status", block),
            tuple(name.rstrip(ASSIGNED) for name in names),
            tuple(name.rstrip(ASSIGNED) for name in names if name.endswith(ASSIGNED)),
        )


def value(key: str, text: str) -> str:
    """Return the first value of a key; the builder's name comes before its nodes' names."""
    match = re.search(rf"^{key}: +(\S+)", text, re.MULTILINE)
    return match[1] if match else ""


def usable(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes that buildx chooses from: those without an error, running or not."""
    return [node for node in nodes if node.status]


def default(nodes: Sequence[Node]) -> Node | None:
    """Return the node that builds what names no platform: the first, of whatever platform it is."""
    return next(iter(usable(nodes)), None)


def named(nodes: Sequence[Node], architecture: str) -> str:
    """Return the architecture that builds for `architecture` have to name, OWN for none.

    Where the first node is of another platform than this machine, so would be what names none.
    """
    first = default(nodes)
    if architecture or first is None or not first.platforms or _is_of(first, platforms.OWN):
        return architecture
    return platforms.own_architecture()


def _is_of(node: Node, architecture: str) -> bool:
    """Return whether a node is of a platform: it names its own, or those it is for, first."""
    return node.platforms[:1] == (platforms.name_of(architecture),)


def node_of(nodes: Sequence[Node], architecture: str) -> Node | None:
    """Return the node that builds for an architecture, and where none has it, the first.

    A node that was created for the platform comes before one that reports it.
    """
    target = named(nodes, architecture)
    name, usable_nodes = platforms.name_of(target), usable(nodes)
    chosen = [node for node in usable_nodes if name in node.assigned]
    chosen += [node for node in usable_nodes if name in node.platforms]
    return next(iter(chosen if target else []), default(nodes))


def is_native(nodes: Sequence[Node], architecture: str) -> bool:
    """Return whether all that is for a platform is built on a node of it.

    Else the first node, of another platform, compiles for it, and emulates what runs.
    """
    chosen = node_of(nodes, architecture)
    return chosen is not None and (
        chosen != default(nodes) or (architecture != platforms.OWN and _is_of(chosen, architecture))
    )


def silent(nodes: Sequence[Node], architecture: str) -> list[Node]:
    """Return the nodes without an answer to which buildx would connect for an architecture.

    It asks all of them what they have where none was created for the platform.
    """
    chosen, target = node_of(nodes, architecture), named(nodes, architecture)
    is_assigned = chosen and platforms.name_of(target) in chosen.assigned
    candidates = usable(nodes) if target and not is_assigned else [chosen]
    return [node for node in candidates if node and not node.runs]
