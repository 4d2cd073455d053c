"""A mapping of images.yaml: the shared YAML node, with sizes, times and CatalogError."""

from __future__ import annotations

from collections.abc import Callable, Collection

from sutra_cleanup import yaml_node

from scripts.common.errors import CatalogError
from scripts.common.units import parse_size, parse_time


class Node(yaml_node.Node):
    """A mapping of the catalogue, which refuses blank texts."""

    def refusal(self, message: str) -> CatalogError:
        """Return the exception for one line about this file."""
        return CatalogError(message, f"fix {self.file}, then run the same command again")

    def text(self, key: str) -> str:
        """Return a text, "" without the key."""
        text = super().text(key)
        if key in self.value and not text.strip():
            raise self.error(key, "not a text", text)
        return text

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, an empty one without the key."""
        texts = super().texts(key)
        if "" in texts:
            raise self.error(key, "not a list of texts", list(texts))
        return texts

    def size(self, key: str) -> int:
        """Return bytes."""
        return self._amount(key, parse_size)

    def time(self, key: str) -> int:
        """Return milliseconds."""
        return self._amount(key, parse_time)

    def _amount(self, key: str, parse: Callable[[str], int]) -> int:
        value = self.required(key)
        try:
            return parse(str(value))
        except ValueError as reason:
            raise self.error(key, str(reason) + ":", value) from reason

    def unknown(self, key: str, problem: str, value: str, names: Collection[str]) -> Exception:
        """Return the exception for a value that is none of the known ones."""
        return self.error(key, problem, value, yaml_node.did_you_mean(value, names))
