"""Routes that are read when a request first comes to them.

FastAPI reads the signature of every route where it is declared, and lets pydantic build what checks
each value and each answer: a twentieth of the processor time of the api's start, most of it for
routes that the first answers do not need. A route of this class knows its path and its methods, by
which it is found, and does the rest once, when it is asked for anything else: by its first request,
or for a description. What is wrong with a declaration is found by the image's build, which reads
all of them (generate.py).
"""

import gc
from collections.abc import Callable
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import compile_path, get_name
from starlette.types import Receive, Scope, Send


class DeferredRoute(APIRoute):
    """A route that is found by its path and methods, and read when it is used."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **declared: Any) -> None:
        """Take what APIRoute takes."""
        self._declared: dict[str, Any] | None = declared
        self.path, self.endpoint = path, endpoint
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self.methods = {method.upper() for method in declared.get("methods") or ("GET",)}
        self.name = declared.get("name") or get_name(endpoint)
        self.include_in_schema = declared.get("include_in_schema", True)
        self.app = self._first

    def read(self) -> None:
        """Do what APIRoute does where it is declared. Raises what FastAPI finds wrong with it."""
        declared = self.__dict__["_declared"]
        if declared is not None:
            self._declared = None  # APIRoute asks for attributes while it sets them
            try:
                super().__init__(self.path, self.endpoint, **declared)
            except BaseException:
                self._declared = declared
                raise

    async def _first(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.read()
        await self.app(scope, receive, send)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute that only a route that has been read has."""
        if name.startswith("__") or self.__dict__.get("_declared") is None:
            raise AttributeError(name)
        self.read()
        return getattr(self, name)


def read_all() -> int:
    """Read every route that was declared in this process; return how many there are."""
    # type(), because an object may say of itself that it is of another class
    routes = [route for route in gc.get_objects() if issubclass(type(route), DeferredRoute)]
    # in one order, so that every build keeps the same bytes
    for route in sorted(routes, key=lambda route: (route.path, *sorted(route.methods))):
        route.read()
    return len(routes)
