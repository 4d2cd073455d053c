"""Speed up imports by skipping work that our services never need.

Instructions of a start and stop of the api (Python 3.13, `valgrind --tool=cachegrind`): 1.71e9, of
which httpx._main is 135e6, core schemas 79e6, uvicorn.main 48e6, models that are rebuilt 40e6, a
search for plugins 17e6. Without all of this: 1.40e9. Later, of imports and app alone: 0.79e9, of
which OpenTelemetry's interface is 22e6.
"""

import dataclasses
import gc
import os
import sys
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

from sutra_service.web import generated
from sutra_service.web.telemetry_later import telemetry_later

# Each is looked for by somebody who takes an ImportError for an answer. httpx._main: httpx's
# command line, for which it would import all of click. pydantic.v1: FastAPI asks of every
# annotation whether it is a model of that; none is, and the module takes 60 ms. sniffio: httpcore
# looks through every folder for it, four times a request (0.5 ms), to hear that this is asyncio.
ABSENT = ("httpx._main", "pydantic.v1", "sniffio")
COMMAND_LINE = "uvicorn.main"


@contextmanager
def quick_imports(kept: bool = True) -> Iterator[None]:
    """Import a FastAPI app in here; call it once, before anything else has imported FastAPI.

    Without `kept` nothing is taken from what a build has kept: generate.py makes that.
    """
    # Modules are made to stay: looking through them for cycles again and again finds none. Frozen,
    # they are not looked through while serving either.
    gc.disable()
    if kept:
        generated.use(*generated.read())
    # pydantic's own setting: no entry points are read to look for plugins, as there are none
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    for name in ABSENT:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # not even looked for
    sys.modules.setdefault(COMMAND_LINE, _CommandLine(COMMAND_LINE))
    with _no_signatures_in_docstrings():
        _import_core_schemas()
        with telemetry_later():
            _defer_openapi_models()
            # FastAPI imports it when an app starts; one that has it elsewhere only starts later
            with suppress(ImportError):
                import fastapi.telemetry._runtime  # noqa: F401  # only imported
        yield
    gc.freeze()
    gc.enable()


class _CommandLine(ModuleType):
    """uvicorn's command line, imported with click and its supervisors when it is called."""

    @property
    def Server(self) -> Any:  # noqa: N802 # uvicorn's name
        """Return the server, which uvicorn takes from its command line."""
        return import_module("uvicorn.server").Server

    @property
    def main(self) -> Callable[..., Any]:
        """Return the command."""
        return lambda *args, **named: _command_line().main(*args, **named)

    @property
    def run(self) -> Callable[..., Any]:
        """Return what runs an app."""
        return lambda *args, **named: _command_line().run(*args, **named)


def _command_line() -> Any:
    if isinstance(sys.modules[COMMAND_LINE], _CommandLine):
        del sys.modules[COMMAND_LINE]
    module = import_module(COMMAND_LINE)
    package: Any = sys.modules["uvicorn"]
    package.main = module.main  # the import has bound the module to the command's name
    return module


class _Annotation(dict[str, Any]):
    """The base of what only annotates: nobody checks values against these classes."""

    def __init_subclass__(cls, total: bool = True) -> None:
        """Take TypedDict's one argument."""


class _PlainHere:
    """What takes the place of `TypedDict`, for the classes of one module."""

    def __init__(self, module: str, real: Any) -> None:
        """Leave classes of any other module to the `real` one."""
        self.module = module
        self.real = real

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Make a class in the other way, as the real one does."""
        return self.real(*args, **named)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        """Return the bases of a class whose module is the one that runs."""
        if sys._getframe(1).f_globals["__name__"] == self.module:
            return (_Annotation,)
        entries: tuple[type, ...] = self.real.__mro_entries__(bases)
        return entries


@contextmanager
def _no_signatures_in_docstrings() -> Iterator[None]:
    """Let a dataclass without a docstring get its name as one, not what it takes as well.

    Images have no docstrings of others, so that a hundred classes would be asked for theirs.
    """

    def signature(*_: object, **__: object) -> None:
        raise TypeError("not asked for")  # dataclasses' own answer to it is the name alone

    library: Any = dataclasses
    kept = library.inspect
    library.inspect = SimpleNamespace(**{**vars(kept), "signature": signature})
    try:
        yield
    finally:
        library.inspect = kept


def _import_core_schemas() -> None:
    """Import pydantic's eighty types of schemas, which only annotate, as plain classes.

    A TypedDict compiles the annotation of every key, 600 of them. Before Python 3.12 they are
    those of typing_extensions and stay.
    """
    import typing_extensions  # noqa: F401 # whose TypedDict is typing's: before that is another

    kept, module = typing.TypedDict, "pydantic_core.core_schema"
    typing.TypedDict = _PlainHere(module, kept)  # type: ignore[assignment] # for a while
    try:
        import_module(module)
    finally:
        typing.TypedDict = kept


def _defer_openapi_models() -> None:
    """Let FastAPI's models of OpenAPI itself be built when a description is asked for."""
    from pydantic import BaseModel, ConfigDict

    config, rebuild = BaseModel.model_config, BaseModel.__dict__["model_rebuild"]

    def model_rebuild(cls: type[BaseModel], /, **named: Any) -> bool | None:
        """Rebuild a model that is used; their module itself asks without arguments."""
        return rebuild.__func__(cls, **named) if named else None

    BaseModel.model_config = ConfigDict(defer_build=True)
    replaced: Any = classmethod(model_rebuild)
    BaseModel.model_rebuild = replaced  # type: ignore[method-assign] # for a while
    try:
        import fastapi.openapi.models  # noqa: F401 # imported to be built
    finally:
        BaseModel.model_config = config
        BaseModel.model_rebuild = rebuild  # type: ignore[method-assign] # as it was
