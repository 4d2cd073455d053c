"""Exceptions from the rules: only images.yaml holds them, each with its reason.

contents:
  package-managers: {allow: [./sbin/apk], distribution: alpine, because: …}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sutra_cleanup.globs import Glob

from scripts.catalog.rule_names import IN_BYTES, NAMES

if TYPE_CHECKING:
    from scripts.catalog.catalog_node import Node

KEYS = ("skip", "allow", "limit", "distribution", "because")


@dataclass(frozen=True)
class Waiver:
    """An exception from one rule for one image, and why.

    `skip` switches it off; `allow` are the paths that it may find; `limit` is in
    bytes, for a rule that counts them. With a `distribution` ("alpine", the ID of
    os-release) it holds for images of that alone.
    """

    rule: str
    because: str
    skip: bool = False
    allow: tuple[Glob, ...] = ()
    limit: int = 0
    distribution: str = ""


def parse(image: Node) -> tuple[Waiver, ...]:
    """Read the key `contents` of an image. Raises SutraError with the key's path."""
    if "contents" not in image.value:
        return ()
    contents = image.child("contents", NAMES)
    return tuple(_waiver(contents, rule) for rule in contents.value)


def _waiver(contents: Node, rule: str) -> Waiver:
    node = contents.child(rule, KEYS)
    kinds = [key for key in ("skip", "allow", "limit") if key in node.value]
    if len(kinds) != 1:
        raise node.error("", "one of skip, allow and limit, not", " and ".join(kinds) or "none")
    if kinds == ["skip"] and node.value["skip"] is not True:
        raise node.error("skip", "not true", node.value["skip"])
    if kinds == ["limit"] and rule not in IN_BYTES:
        raise node.error("limit", "only for a rule that counts bytes, which is not", rule)
    node.required("because")
    return Waiver(
        rule,
        node.text("because"),
        kinds == ["skip"],
        _globs(node) if kinds == ["allow"] else (),
        node.size("limit") if kinds == ["limit"] else 0,
        node.text("distribution"),
    )


def _globs(node: Node) -> tuple[Glob, ...]:
    value: Any = node.value["allow"]
    if not isinstance(value, list) or not value:
        raise node.error("allow", "not a list of paths", value)
    return tuple(_glob(node, f"allow[{number}]", text) for number, text in enumerate(value))


def _glob(node: Node, key: str, text: Any) -> Glob:
    if not isinstance(text, str):
        raise node.error(key, "not a path", text)
    try:
        return Glob(text)
    except ValueError as reason:
        raise node.error(key, f"{reason}:", text) from reason
