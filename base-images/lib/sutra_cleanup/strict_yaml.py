"""YAML without surprises: no key twice, and one kind of error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

RANGES = {
    "year": (1, 9999),
    "month": (1, 12),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
}


class _OnceEach(yaml.SafeLoader):
    """Refuses duplicate keys: the second would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping, or raise ConstructorError at the second of two equal keys."""
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'duplicate key "{key.value}"', key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> Any:
        """Return the date or time. Raises ValueError in the same words on every Python."""
        try:
            return super().construct_yaml_timestamp(node)
        except ValueError as error:
            parts = self.timestamp_regexp.match(node.value)
            raise ValueError(_wrong_part(parts.groupdict() if parts else {})) from error


_OnceEach.add_constructor("tag:yaml.org,2002:timestamp", _OnceEach.construct_yaml_timestamp)


def _wrong_part(parts: Mapping[str, str | None]) -> str:
    """Return which part of a time is out of its range; Python 3.14 adds the value to it."""
    for name, (low, high) in RANGES.items():
        if parts.get(name) and not low <= int(parts[name] or 0) <= high:
            return f"{name} must be in {low}..{high}"
    return "day is out of range for month"


def load(text: str) -> Any:
    """Return what a YAML text says. Raises ValueError, one line with the place, for no YAML.

    PyYAML lets other errors through for values such as "2001-99-99" or `!!bool x`.
    """
    try:
        return yaml.load(text, _OnceEach)  # noqa: S506 # it is a SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(_problem(error)) from error
    except (ValueError, LookupError, AttributeError, RecursionError) as error:
        raise ValueError((str(error).splitlines() or [type(error).__name__])[0]) from error


def _problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}: {problem}" if mark else problem
