"""The types of a rule, of the image that it judges, and of its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # images.yaml names the rules: reading it must not take the engine's SDK
    from scripts.image.inventory import Entry, Inventory


@dataclass(frozen=True)
class Finding:
    """One thing that must not be: `path` is what an allowance names, `text` a short line.

    `path` has no leading slash; for what is no file it is such as "env:TOKEN".
    `weight` is 1, or bytes for a rule that counts them.
    """

    path: str
    text: str
    weight: int = 1


@dataclass(frozen=True)
class Subject:
    """The image that rules judge, under the name that images.yaml gives it.

    `private` are the fingerprints of certificates that only the builders trust, `public`
    of those that everybody does. A `foreign` image was built elsewhere, without our cleanup.
    `architecture` is that of the platform it is checked for, "" for this machine's own.
    """

    name: str
    image: Inventory
    private: frozenset[str] = field(default=frozenset())
    public: frozenset[str] = field(default=frozenset())
    foreign: bool = False
    architecture: str = ""

    @property
    def files(self) -> Mapping[str, Entry]:
        """Entries by path, as a container sees them."""
        return self.image.files

    @cached_property
    def _config(self) -> Mapping[str, Any]:
        """The part of the image's configuration that a container starts with."""
        return _mapping(self.image.config.get("config"))

    @property
    def user(self) -> str:
        """USER as the configuration has it."""
        return str(self._config.get("User") or "")

    @property
    def folder(self) -> str:
        """The folder in which a container starts."""
        return str(self._config.get("WorkingDir") or "/")

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The variables that the image sets."""
        pairs = (line.partition("=") for line in _texts(self._config.get("Env")))
        return {name: value for name, _, value in pairs}

    @property
    def labels(self) -> Mapping[str, str]:
        """The image's labels."""
        return self.image.labels

    @property
    def command(self) -> tuple[str, ...]:
        """ENTRYPOINT and CMD: the words that a container starts with."""
        return _texts(self._config.get("Entrypoint")) + _texts(self._config.get("Cmd"))

    @property
    def healthcheck(self) -> tuple[str, ...]:
        """HEALTHCHECK as the configuration has it: "CMD", then its words."""
        return _texts(_mapping(self._config.get("Healthcheck")).get("Test"))

    @cached_property
    def history(self) -> tuple[str, ...]:
        """The history line of each build step, oldest first."""
        steps = self.image.config.get("history")
        return tuple(
            " ".join(str(_mapping(step).get(key) or "") for key in ("created_by", "comment"))
            for step in (steps if isinstance(steps, list) else ())
        )

    @cached_property
    def distribution(self) -> str:
        """The ID of os-release, such as "debian" or "alpine", or ""."""
        entry = self.image.resolve("etc/os-release") or self.image.resolve("usr/lib/os-release")
        text = (entry and self.image.text(entry.path)) or ""
        pairs = dict(line.partition("=")[::2] for line in text.splitlines())
        return pairs.get("ID", "").strip("\"'")

    def contents(self) -> Iterator[Entry]:
        """Yield every file with content of its own or of a hard link: no folder, no symlink."""
        return (entry for entry in self.files.values() if entry.kind in ("file", "hardlink"))


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return `value` if it is a mapping: a configuration is hostile input."""
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


@dataclass(frozen=True)
class Rule:
    """One rule: its name in images.yaml, a sentence for people, and the check."""

    name: str
    about: str
    check: Callable[[Subject], Iterable[Finding]]
    unit: str = "findings"


def quoted(text: str) -> str:
    """Return a path or a value of an image in quotes, safe for one line of a terminal."""
    shown = text if text.isprintable() else text.encode("unicode_escape").decode()
    return f'"{shown[:200]}"'
