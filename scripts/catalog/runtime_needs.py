"""How an image is started to be checked: the key `runtime` of images.yaml.

runtime: {needs: [sutra-storage-server], ready: [ask, "8000"], writes: [/tmp], alias: api,
          loads: [libgcc_s.so.1], seccomp: packages/X/seccomp.json, requests: packages/X/requests}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.common.platforms import image_of

if TYPE_CHECKING:
    from scripts.catalog.catalog import Image
    from scripts.catalog.catalog_node import Node

KEYS = ("needs", "alias", "writes", "loads", "ready", "seccomp", "requests")


@dataclass(frozen=True)
class Runtime:
    """The surroundings in which an image is started.

    `needs` are images of the catalogue that run beside it, `alias` the name under
    which those that need it reach it, `writes` the folders that it may write to,
    `loads` shared libraries that its own loader must load, and `ready` the command that
    says whether it can do its work, where HEALTHCHECK only says whether it lives. `seccomp`
    is the file of its profile, `requests` that of the requests under which it is held to it.
    """

    needs: tuple[str, ...] = ()
    alias: str = ""
    writes: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()
    seccomp: str = ""
    requests: str = ""


AS_IS = Runtime()


def parse(image: Node) -> Runtime:
    """Read the key `runtime` of an image. Raises SutraError with the key's path."""
    if "runtime" not in image.value:
        return Runtime()
    node = image.child("runtime", KEYS)
    writes = node.texts("writes")
    for place in writes:
        if not place.startswith("/") or ".." in place.split("/") or place == "/":
            raise node.error("writes", "not the absolute path of a folder", place)
    if "requests" in node.value and "seccomp" not in node.value:
        raise node.error("requests", "without seccomp, whose check sends them")
    return Runtime(
        node.texts("needs"),
        node.text("alias"),
        writes,
        node.texts("loads"),
        node.texts("ready"),
        node.text("seccomp"),
        node.text("requests"),
    )


def refuse_needs(images: Node, by_name: Mapping[str, Image]) -> None:
    """Raise SutraError for a need that is no service of the catalogue, and for a cycle."""
    for image in by_name.values():
        key = f"{image.key}.runtime.needs"
        for need in image.runtime.needs:
            if need not in by_name:
                named = image_of(need)
                raise images.unknown(key, "no such image", named, list(map(image_of, by_name)))
            if by_name[need].budget.ready is None:
                raise images.error(key, "not a service, it has no budget.ready:", image_of(need))
    for name in by_name:
        _refuse_cycle(images, by_name, (name,))


def _refuse_cycle(images: Node, by_name: Mapping[str, Image], above: tuple[str, ...]) -> None:
    for need in by_name[above[-1]].runtime.needs:
        if need in above:
            names = list(map(image_of, (*above, need)))
            raise images.error(f"{names[0]}.runtime.needs", "cycle", " → ".join(names))
        _refuse_cycle(images, by_name, (*above, need))
