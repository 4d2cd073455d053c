"""YAML without surprises: no key twice, and one kind of error."""

from __future__ import annotations

from typing import Any

import yaml


class _OnceEach(yaml.SafeLoader):
    """Refuses a key that stands twice: the second would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping, or raise ConstructorError at the second of two equal keys."""
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'key stands twice "{key.value}"', key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


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
