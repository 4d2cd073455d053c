"""The documents of an image on another base: its own layers on that base's, its own settings.

Nothing of the service is touched: its layers keep their bytes and so their digests. Sources: OCI
image-spec, config.md (rootfs, history) and annotations.md (base.digest, base.name).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.common.errors import SutraError
from scripts.common.labels import BASE_DIGEST, BASE_REVISION, BUILD_ROOT, REVISION, ROOT

Config = Mapping[str, Any]
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Image:
    """An image as `docker save` hands it out: its config, and its layers' members in order."""

    name: str
    config: Config
    layers: tuple[str, ...]

    @property
    def diff_ids(self) -> list[str]:
        """The layers' digests, unpacked."""
        return list(self.config["rootfs"]["diff_ids"])

    @property
    def settings(self) -> Config:
        """What a container gets: Env, Cmd, User, Labels."""
        return self.config.get("config") or {}


def stands_on(image: Image, base: Image) -> bool:
    """Return whether the base's layers are the first of the image's, and the image has more."""
    count = len(base.diff_ids)
    return 0 < count < len(image.diff_ids) and image.diff_ids[:count] == base.diff_ids


def moved(image: Image, old: Image, new: Image, digest: str) -> tuple[dict[str, Any], list[str]]:
    """Return the image's config on `new` in place of `old`, and its own layers' members.

    `digest` is the new base's. Raises SutraError for an image that is not on `old`.
    """
    if not stands_on(image, old):
        raise SutraError(
            f"rebase: {image.name}: is not built on {old.name}: its first layers are others",
            "`make prod` builds it on the base that is here",
        )
    count = len(old.diff_ids)
    config = {
        **image.config,
        "created": max(
            str(config_of_one.get("created", "")) for config_of_one in (image.config, new.config)
        ),
        "config": _settings(image.settings, old.settings, new.settings, digest),
        "rootfs": {"type": "layers", "diff_ids": new.diff_ids + image.diff_ids[count:]},
        "history": _history(new.config) + _own_history(image.config, old.config),
    }
    return config, list(image.layers[count:])


def _settings(own: Config, old: Config, new: Config, digest: str) -> dict[str, Any]:
    """Return the image's settings; what it took from the old base, it takes from the new one."""
    keys = own.keys() | new.keys()
    merged = {key: new.get(key) if own.get(key) == old.get(key) else own.get(key) for key in keys}
    merged["Env"] = _environment(*(list(settings.get("Env") or ()) for settings in (own, old, new)))
    labels = _labels(own.get("Labels") or {}, new.get("Labels") or {}, digest)
    return {key: value for key, value in merged.items() if value is not None} | {"Labels": labels}


def _labels(own: Labels, base: Labels, digest: str) -> dict[str, str]:
    """Return the image's labels: its own commit, and what its base was made of.

    The root image of what built the service's layers stays, however often it moves.
    """
    root = base.get(ROOT) or own.get(ROOT, "")
    builders = own.get(BUILD_ROOT) or own.get(ROOT, "")
    derived = {
        BASE_DIGEST: digest,
        BASE_REVISION: base.get(REVISION, ""),
        ROOT: root,
        BUILD_ROOT: builders if builders != root else "",
    }
    kept = {name: value for name, value in own.items() if name not in derived}
    return kept | {name: value for name, value in derived.items() if value}


def _environment(own: Sequence[str], old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return the new base's variables, with what the image set itself over them."""
    changed = [variable for variable in own if variable not in old]
    names = {variable.partition("=")[0] for variable in changed}
    return [variable for variable in new if variable.partition("=")[0] not in names] + changed


def _history(config: Config) -> list[Any]:
    return list(config.get("history") or ())


def _own_history(image: Config, base: Config) -> list[Any]:
    """Return the steps of the image that are not its base's."""
    return _history(image)[len(_history(base)) :]
