"""Show which image is built from which, which layers they share, and what a change rebuilds."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.build import bake, graph
from scripts.build.graph import Node
from scripts.catalog import catalog
from scripts.common import arguments
from scripts.common.errors import OK, EngineError
from scripts.common.units import format_size
from scripts.engine import buildx
from scripts.engine import client as engine
from scripts.image import read_layers
from scripts.oci.layer import Layer

FORMATS = ("table", "mermaid", "json")
KINDS = {"base": "bases", "service": "services"}
# mermaid's shapes: a root is round, a base a cylinder, a service a box
SHAPES = {"root": "([{}])", "base": "[({})]", "service": "[{}]", "builder": "[{}]"}

Shared = list[tuple[Layer, list[str]]]


def shown(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """Return bases and services by name."""
    return {name: node for name, node in nodes.items() if node.kind in KINDS}


def sources(nodes: Mapping[str, Node], node: Node) -> list[str]:
    """Return what an image is built from: other images by name, and roots."""
    return sorted({graph.called(nodes, need) for need in node.needs} | node.roots)


def shared_layers(references: Mapping[str, str]) -> Shared | None:
    """Return the layers that several images have, the largest first; None without images."""
    try:
        client = engine.connect()
        sizes = read_layers.measure_several(client, references.values())
        measured = dict(zip(references, sizes, strict=True))
    except EngineError:
        return None
    owners: dict[str, list[str]] = {}
    layers: dict[str, Layer] = {}
    for name, image in measured.items():
        for layer in dict.fromkeys(image.layers if image else ()):
            layers[layer.diff_id] = layer
            owners.setdefault(layer.diff_id, []).append(name)
    several = [(layers[diff_id], names) for diff_id, names in owners.items() if len(names) > 1]
    built = any(measured.values())
    return sorted(several, key=lambda pair: -pair[0].installed) if built else None


def text(nodes: Mapping[str, Node], shared: Shared | None) -> list[str]:
    """Return the lines for a person."""
    images = shown(nodes)
    lines = ["roots"]
    for root in sorted({root for node in images.values() for root in node.roots}):
        users = [name for name, node in images.items() if root in node.roots]
        lines.append(f"  {root} → {', '.join(users)}")
    for kind, title in KINDS.items():
        lines.append(title)
        for name, node in images.items():
            if node.kind == kind:
                lines.append(f"  {name} ← {', '.join(sources(nodes, node)) or 'nothing'}")
    lines.append("shared layers")
    if shared is None:
        lines.append("  not known: no image is built, or no engine answers")
    for layer, names in shared or ():
        lines.append(f"  {format_size(layer.installed)} {', '.join(names)}")
    lines.append("a change of … rebuilds")
    return lines + [f"  {path} → {', '.join(names)}" for path, names in changes(nodes).items()]


def changes(nodes: Mapping[str, Node]) -> dict[str, list[str]]:
    """Return for each path that an image takes which images a change of it rebuilds."""
    named = {path for node in nodes.values() for path in node.files}
    paths = sorted(path for path in named if "*" in path or Path(path).exists())
    names_by_path = {
        path: [name for name in nodes if any(node.names(path) for node in graph.below(nodes, name))]
        for path in paths
    } | {graph.BAKE_FILE: list(nodes)}
    return {path: [n for n in names if n in shown(nodes)] for path, names in names_by_path.items()}


def mermaid(nodes: Mapping[str, Node]) -> list[str]:
    """Return a flow chart as GitHub and others draw it."""
    images = shown(nodes)
    kinds: dict[str, str] = {}
    kinds |= {source: "builder" for node in images.values() for source in sources(nodes, node)}
    kinds |= {name: node.kind for name, node in images.items()}
    kinds |= {root: "root" for node in images.values() for root in node.roots}
    number = {name: f"n{at}" for at, name in enumerate(kinds)}
    drawn = [
        f"  {number[name]}{SHAPES[kind].format(json.dumps(name))}" for name, kind in kinds.items()
    ]
    edges = [
        f"  {number[source]} --> {number[name]}"
        for name, node in images.items()
        for source in sources(nodes, node)
    ]
    return ["flowchart LR", *drawn, *edges]


def as_json(nodes: Mapping[str, Node], shared: Shared | None) -> str:
    """Return everything as JSON; `shared_layers` is null where no image is built."""
    layers: list[dict[str, Any]] | None = None
    if shared is not None:
        layers = [
            {"diff_id": layer.diff_id, "installed": layer.installed, "images": names}
            for layer, names in shared
        ]
    images = {
        name: {
            "kind": node.kind,
            "tags": list(node.tags),
            "from": sources(nodes, node),
            "files": sorted(
                {path for node_below in graph.below(nodes, name) for path in node_below.files}
            ),
        }
        for name, node in shown(nodes).items()
    }
    roots = sorted({root for node in nodes.values() for root in node.roots})
    document = {
        "roots": roots,
        "images": images,
        "shared_layers": layers,
        "changes": changes(nodes),
    }
    return json.dumps(document, indent=2)


def read(groups: Sequence[str] = graph.GROUPS) -> dict[str, Node]:
    """Return the targets of groups of the bake file. Raises SutraError."""
    return graph.read(buildx.bake_plan(groups, bake.variables(os.environ)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(parser, "format", "how to print", FORMATS)


def main(options: argparse.Namespace) -> int:
    """Print the graph; images need not be built."""
    form = arguments.output_format(options, FORMATS)
    nodes = read()
    if form == "mermaid":
        print(*mermaid(nodes), sep="\n")
        return OK
    shared = shared_layers({image.name: image.reference for image in catalog.load().images})
    lines: Sequence[str] = [as_json(nodes, shared)] if form == "json" else text(nodes, shared)
    print(*lines, sep="\n")
    return OK
