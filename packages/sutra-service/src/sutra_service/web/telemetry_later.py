"""Let FastAPI be imported without OpenTelemetry's interface, which is imported once it is used.

FastAPI imports it for telemetry that no service here collects: 30 modules, of 535 that a start
of the api imports. A service that switches telemetry on gets it as ever, only later.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

API = "opentelemetry"
CONTEXT = f"{API}.context"
# modules that FastAPI imports, and the packages that they are in
NAMES = (
    API,
    f"{API}._logs",
    CONTEXT,
    f"{API}.metrics",
    f"{API}.propagate",
    f"{API}.propagators",
    f"{API}.propagators.textmap",
    f"{API}.trace",
)


@contextmanager
def telemetry_later() -> Iterator[None]:
    """Import FastAPI in here; what is imported afterwards gets the real OpenTelemetry."""
    if API not in sys.modules:
        for name in NAMES:
            package, _, last = name.rpartition(".")
            sys.modules[name] = _Context(name) if name == CONTEXT else _Module(name)
            if package:
                setattr(sys.modules[package], last, sys.modules[name])
    try:
        yield
    finally:
        _give_way()


def _give_way() -> None:
    """Take what is in the place of OpenTelemetry away, so that it can be imported."""
    for name in NAMES:
        if isinstance(sys.modules.get(name), _Module):
            del sys.modules[name]


def _real(module: str) -> ModuleType:
    _give_way()
    return import_module(module)


class _Module(ModuleType):
    """What `from opentelemetry import trace` gives; the module is imported for a name of it."""

    def __init__(self, name: str) -> None:
        """Be a package, so that modules below it can be asked for."""
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # while FastAPI is imported, a name annotates something
        is_here = sys.modules.get(self.__name__) is self
        return _Name(self.__name__, name) if is_here else getattr(_real(self.__name__), name)


class _Context(_Module):
    """The module that every request asks for a value of its own."""

    def create_key(self, keyname: str) -> str:
        """Return a key that is like no other."""
        return f"{keyname}-{os.urandom(16).hex()}"

    def get_value(self, key: str, context: Any = None) -> Any:
        """Return a value of the context: there is none where nobody could have set one."""
        if CONTEXT not in sys.modules:
            return None
        return _real(CONTEXT).get_value(key, context)


class _Name:
    """What `from opentelemetry.trace import SpanKind` gives: an annotation, or a way to the real.

    A class made of it has no base, as OpenTelemetry asks no object what it is made of.
    """

    def __init__(self, module: str, name: str) -> None:
        """Remember what it is a name of."""
        self._module = module
        self._name = name

    def _itself(self) -> Any:
        return getattr(_real(self._module), self._name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._itself(), name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the real one."""
        return self._itself()(*arguments, **named)

    def __getitem__(self, _: Any) -> "_Name":
        """Return itself: a generic class of it annotates as well."""
        return self

    def __or__(self, _: Any) -> Any:
        """Return a type that an annotation can have."""
        return Any

    def __mro_entries__(self, _: tuple[Any, ...]) -> tuple[type, ...]:
        """Return no base."""
        return ()
