"""A mapping of a YAML file with the path that leads to it, so that errors can name the key.

It is here, and not in scripts/, as builder stages mount this folder alone; images.yaml is read
with it too (scripts.catalog.catalog).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any, Self


class Node(ABC):
    """A mapping whose keys are texts, each of them one of `keys` where these are given.

    `file` is what errors call the file. A subclass chooses their exception in `refusal`.
    """

    def __init__(self, file: str, path: str, value: Any, keys: Collection[str] | None) -> None:
        self.file, self.path = file, path
        if not isinstance(value, Mapping):
            raise self.error("", "not a mapping", value)
        self.value: Mapping[str, Any] = value
        for key in value:
            if not isinstance(key, str):
                raise self.error("", "key is not text", key)
            if keys is not None and key not in keys:
                raise self.error("", "unknown key", key, did_you_mean(key, keys))

    @abstractmethod
    def refusal(self, message: str) -> Exception:
        """Return the exception for one line about this file."""

    def error(self, key: str, problem: str, value: Any = None, hint: str = "") -> Exception:
        """Return the exception for `key` of this mapping: `file: key.path: problem "value"`."""
        place = ".".join(part for part in (self.path, key) if part)
        shown = "" if value is None else f' "{value}"'
        return self.refusal(f"{self.file}: {place + ': ' if place else ''}{problem}{shown}{hint}")

    def required(self, key: str) -> Any:
        """Return the value of a key that must be there."""
        if self.value.get(key) is None:
            raise self.error(key, "missing")
        return self.value[key]

    def child(self, key: str, keys: Collection[str] | None = None) -> Self:
        """Return the mapping under a key that must be there."""
        return self._child(key, self.required(key), keys)

    def child_or_empty(self, key: str, keys: Collection[str] | None = None) -> Self:
        """Return the mapping under a key, an empty one without it."""
        return self._child(key, self.value.get(key) or {}, keys)

    def _child(self, key: str, value: Any, keys: Collection[str] | None) -> Self:
        path = f"{self.path}.{key}" if self.path else str(key)
        return type(self)(self.file, path, value, keys)

    def text(self, key: str) -> str:
        """Return a text, "" without the key."""
        value = self.value.get(key, "")
        if not isinstance(value, str):
            raise self.error(key, "not a text", value)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, an empty one without the key."""
        value = self.value.get(key, [])
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self.error(key, "not a list of texts", value)
        return tuple(value)


def did_you_mean(word: str, words: Collection[str]) -> str:
    """Return the end of an error that names the nearest of the words, "" without a near one."""
    close = get_close_matches(word, words, n=1)
    return f', did you mean "{close[0]}"?' if close else ""
