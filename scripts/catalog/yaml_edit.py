"""Places of values in a YAML text, so that one is replaced and every other byte stays."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import yaml

Path = tuple[str, ...]
MERGE = "tag:yaml.org,2002:merge"


def replaced(text: str, values: Mapping[Path, str]) -> str:
    """Return `text` with the values at these key paths replaced. Raises KeyError for no such key.

    A value that several mappings share (`&anchor`, `<<`) is there once.
    """
    root = _root(text)
    nodes = [(node(root, path), value) for path, value in values.items()]
    places = {
        (value_node.start_mark.index, value_node.end_mark.index): value
        for value_node, value in nodes
    }
    for (start, end), value in sorted(places.items(), reverse=True):
        text = text[:start] + value + text[end:]
    return text


@lru_cache(maxsize=1)
def _root(text: str) -> Any:
    """Return the root node; kept, since edits look for several places of one text in a row."""
    return yaml.compose(text, Loader=yaml.SafeLoader)


def node(root: Any, path: Path) -> Any:
    """Return the node at a key path. Raises KeyError for no such key."""
    for key in path:
        root = _value(root, key)
        if root is None:
            raise KeyError(".".join(path))
    return root


def _value(mapping: Any, key: str) -> Any:
    """Return the value of a mapping's key, its own before one that `<<` merges into it."""
    merged: list[Any] = []
    for name, value in mapping.value:
        if name.tag == MERGE:
            merged += [value] if isinstance(value, yaml.MappingNode) else value.value
        elif name.value == key:
            return value
    return next(
        (value for merged_mapping in merged if (value := _value(merged_mapping, key))), None
    )


def end(text: str, path: Path) -> int:
    """Return where the value at a key path ends. Raises KeyError for no such key."""
    place: int = node(_root(text), path).end_mark.index
    return place


def column(text: str, path: Path) -> int:
    """Return how far the key at a key path is indented. Raises KeyError for no such key."""
    *outer, last = path
    mapping = node(_root(text), tuple(outer))
    columns: dict[str, int] = {key.value: key.start_mark.column for key, _ in mapping.value}
    return columns[last]
