"""Where two builds of one image differ: the first layer, the first file in it, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

from scripts.common.text import printable
from scripts.image.entry import Entry
from scripts.image.inventory import Inventory

# keys of an image's config that a container gets or a person sees
CONFIG = ("architecture", "os", "created", "config")


def first_difference(before: Inventory, after: Inventory) -> str:
    """Return one line about the first difference, "" where the images are identical."""
    total = len(before.layers)
    for number, (old, new) in enumerate(zip_longest(before.layers, after.layers), 1):
        if old is None or new is None:
            return f"{total} layers, now {len(after.layers)}"
        if old.diff_id != new.diff_id:
            return f"layer {number} of {total}: {_first_file(old.entries, new.entries)}"
    if before.id == after.id:
        return ""
    return next(_config(before.config, after.config, CONFIG), "")


def _first_file(old: Sequence[Entry], new: Sequence[Entry]) -> str:
    """Return the first file in the layer's own order that differs, and how."""
    there, here = {file.path: file for file in old}, {file.path: file for file in new}
    for path, entry in there.items():
        if path not in here:
            return f"{_shown(path)}: is not there again"
        if difference := "; ".join(_how(entry, here[path])):
            return f"{_shown(path)}: {difference}"
    if added := [path for path in here if path not in there]:
        return f"{_shown(added[0])}: was not there"
    return "the same files, in another order or with other headers"


def _how(old: Entry, new: Entry) -> Iterator[str]:
    """Yield what differs of one file, the gravest first."""
    if old.kind != new.kind:
        yield f"kind {old.kind}, now {new.kind}"
    if old.digest != new.digest or old.size != new.size:
        yield f"bytes {old.size}, now {new.size}" if old.size != new.size else "bytes"
    if old.link != new.link:
        yield f"link to {_shown(old.link)}, now to {_shown(new.link)}"
    if old.mode != new.mode:
        yield f"mode {old.mode:04o}, now {new.mode:04o}"
    if (old.uid, old.gid) != (new.uid, new.gid):
        yield f"owner {old.uid}:{old.gid}, now {new.uid}:{new.gid}"
    if old.mtime != new.mtime:
        yield f"mtime {_time(old.mtime)}, now {_time(new.mtime)}"


def _config(
    old: Mapping[str, Any], new: Mapping[str, Any], keys: Sequence[str], where: str = "config: "
) -> Iterator[str]:
    for key in keys:
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _config(before, after, sorted({*before, *after}), f"{where}{key}.")
        elif before != after:
            yield f'{where}{key} "{_shown(str(before))}", now "{_shown(str(after))}"'


def _shown(text: str) -> str:
    """Return a name of an image's own choice as one printable line."""
    return printable(text[:200])


def _time(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):  # a header may say any number
        return str(seconds)
