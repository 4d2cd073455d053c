"""Routes that are read when they are used: found by path and method before, and the same after."""

import copy
import gc
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi.exceptions import FastAPIError
from fastapi.routing import APIRoute
from pydantic import BaseModel

from sutra_service.web.deferred_route import DeferredRoute, read_all

pytestmark = pytest.mark.anyio


class Thing(BaseModel):
    name: str
    weight: Annotated[float, Query(ge=0)] = 1.0


class Unreadable:
    """What pydantic has no check for."""


async def checked(strict: bool = False) -> bool:
    return strict


def app_of(route_class: type[APIRoute]) -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    router = APIRouter(route_class=route_class, dependencies=[Depends(checked)], tags=["all"])

    @router.get("/things/{number:int}", responses={404: {"description": "none"}}, name="one thing")
    async def read(number: int, first: Annotated[bool, Query()] = True) -> Thing:
        return Thing(name=f"{number} {first}")

    @router.api_route("/things", methods=["put"], status_code=201)
    async def write(thing: Thing) -> Thing:
        return thing

    @router.get("/hidden", include_in_schema=False)
    async def hidden() -> list[str]:
        return ["seen"]

    app.router.routes += router.routes
    return app


def routes_of(app: FastAPI) -> dict[str, Any]:
    return {route.path: route for route in app.routes if isinstance(route, APIRoute)}


def client_of(app: FastAPI, raise_app_exceptions: bool = True) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=raise_app_exceptions)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


def is_read(route: APIRoute) -> bool:
    return "dependant" in vars(route)


async def test_a_route_is_read_by_its_first_request_and_no_other_route_is() -> None:
    app = app_of(DeferredRoute)
    assert not any(map(is_read, routes_of(app).values()))
    async with client_of(app) as client:
        for _ in range(2):
            answer = await client.get("/things/5?first=false")
            assert answer.json() == {"name": "5 False", "weight": 1.0}
    assert [path for path, route in routes_of(app).items() if is_read(route)] == [
        "/things/{number:int}"
    ]


async def test_what_no_route_takes_reads_none() -> None:
    app = app_of(DeferredRoute)
    async with client_of(app) as client:
        assert (await client.get("/nowhere")).status_code == 404
        refused = await client.delete("/things")
    assert refused.status_code == 405
    assert refused.headers["allow"] == "PUT"
    assert not any(map(is_read, routes_of(app).values()))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/things/5", None),
        ("GET", "/things/x", None),
        ("GET", "/things/5?first=perhaps", None),
        ("GET", "/things/5?strict=perhaps", None),
        ("PUT", "/things", {"name": "a"}),
        ("PUT", "/things", {"name": "a", "weight": -1}),
        ("PUT", "/things", {"name": 1}),
        ("GET", "/hidden", None),
        ("PATCH", "/hidden", None),
    ],
)
async def test_it_answers_as_a_route_that_is_read_at_once(
    method: str, path: str, body: object
) -> None:
    answers = []
    for route_class in (APIRoute, DeferredRoute):
        async with client_of(app_of(route_class)) as client:
            answer = await client.request(method, path, json=body)
            answers.append((answer.status_code, answer.text, dict(answer.headers)))
    assert answers[0] == answers[1]


def test_a_description_reads_all_and_is_the_same() -> None:
    app = app_of(DeferredRoute)
    assert app.openapi() == app_of(APIRoute).openapi()
    read = {path for path, route in routes_of(app).items() if is_read(route)}
    assert {"/things", "/things/{number:int}"} <= read


def test_a_path_is_made_without_reading_the_route() -> None:
    app = app_of(DeferredRoute)
    assert app.url_path_for("one thing", number=7) == "/things/7"
    assert not any(map(is_read, routes_of(app).values()))


def test_a_route_answers_for_its_attributes_and_for_no_others() -> None:
    route = routes_of(app_of(DeferredRoute))["/things"]
    assert not hasattr(route, "__no_such_protocol__")
    assert not is_read(route)
    assert copy.copy(route).status_code == 201
    assert route.status_code == 201
    assert is_read(route)
    with pytest.raises(AttributeError, match="unheard_of"):
        _ = route.unheard_of


def declared_wrongly() -> DeferredRoute:
    async def wrong(value: Unreadable) -> None:
        """Take what no request can bring."""

    return DeferredRoute("/wrong", wrong, methods=["GET"])


async def test_what_is_declared_wrongly_fails_each_time_that_it_is_used() -> None:
    app = FastAPI()
    route = declared_wrongly()
    app.router.routes.append(route)
    async with client_of(app, raise_app_exceptions=False) as client:
        for _ in range(2):
            assert (await client.get("/wrong")).status_code == 500
    with pytest.raises(FastAPIError, match="Invalid args"):
        _ = route.dependant


def test_all_that_were_declared_are_read_at_once() -> None:
    gc.collect()  # the route of the test before, which cannot be read
    app = app_of(DeferredRoute)
    assert read_all() >= 3
    assert all(map(is_read, routes_of(app).values()))
