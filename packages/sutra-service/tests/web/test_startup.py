import subprocess
import sys

from processes import environment

CODE = """
import gc, sys
from sutra_service.web.startup import quick_imports
with quick_imports():
    assert not gc.isenabled()
    from fastapi import FastAPI
    from pydantic import BaseModel
assert gc.isenabled() and gc.get_freeze_count() > 10_000
assert sys.modules["pydantic.v1"] is None

class Thing(BaseModel):
    name: str

assert Thing.__pydantic_complete__ and "defer_build" not in Thing.model_config
app = FastAPI()

@app.put("/things")
def put(thing: Thing) -> Thing:
    return thing

print(app.openapi()["paths"]["/things"]["put"]["responses"]["200"]["content"])
"""


# httpx's and uvicorn's command lines bring it, and uvicorn's the processes that it supervises
COMMAND_LINES = """
import sys
from sutra_service.web.startup import quick_imports
with quick_imports():
    import httpx, uvicorn, uvicorn.server
assert uvicorn.Server is uvicorn.server.Server
print(sorted({"click", "uvicorn.supervisors", "multiprocessing"} & sys.modules.keys()))
"""
OTHERS = """
uvicorn.main(["--version"], standalone_mode=False)
print(uvicorn.main is sys.modules["uvicorn.main"].main, "click" in sys.modules)
try:
    uvicorn.run("nowhere:app")
except SystemExit as error:
    print(error.code)
"""
TYPES = """
import sys, typing
from sutra_service.web.startup import quick_imports
before = typing.TypedDict
with quick_imports():
    import pydantic_core
    from pydantic_core import core_schema
import typing_extensions
assert typing.TypedDict is before
assert typing_extensions.is_typeddict(pydantic_core.ErrorDetails)

class Own(typing_extensions.TypedDict, total=False):
    name: str

assert typing_extensions.is_typeddict(Own) and Own.__optional_keys__ == {"name"}
schema = core_schema.StringSchema(type="str", max_length=3)
from sutra_service.web.startup import _PlainHere
assert _PlainHere("here", before)("Made", {"name": str}).__total__
still = typing_extensions.is_typeddict(core_schema.StringSchema)
print(schema, still == (sys.version_info < (3, 12)))
"""
MODELS = """
from sutra_service.web.startup import quick_imports
with quick_imports():
    from fastapi import FastAPI
    from fastapi.openapi import models
    from pydantic import BaseModel
unused = models.Schema, models.Operation, models.Encoding, models.OpenAPI
print([each.__pydantic_complete__ for each in unused])
models.OpenAPI(openapi="3.1.0", info={"title": "t", "version": "1"}, paths={})
print(models.OpenAPI.__pydantic_complete__)

class Later(BaseModel):
    other: "Other"

class Other(BaseModel):
    name: str

print(Later.model_rebuild(), Later(other={"name": "n"}).other.name)
"""
PLUGINS = """
import os
from sutra_service.web.startup import quick_imports
with quick_imports():
    pass
print(os.environ["PYDANTIC_DISABLE_PLUGINS"])
"""


def _run(code: str, **variables: str) -> tuple[int, str, list[str]]:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment() | variables,
        check=False,
        capture_output=True,
        text=True,
    )
    return run.returncode, run.stderr, run.stdout.splitlines()


def test_what_is_put_off_is_made_when_it_is_asked_for() -> None:
    expected = {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
    assert _run(CODE) == (0, "", [str(expected)])


def test_no_command_line_is_imported() -> None:
    assert _run(COMMAND_LINES) == (0, "", ["[]"])


def test_uvicorns_command_line_is_imported_when_it_is_called() -> None:
    code, errors, lines = _run(COMMAND_LINES + OTHERS)
    assert code == 0
    assert lines[1].startswith("Running uvicorn ")
    assert lines[2:] == ["True True", "3"]  # uvicorn's own status
    assert 'Error loading ASGI app. Could not import module "nowhere".' in errors


def test_only_schemas_are_no_typed_dicts() -> None:
    assert _run(TYPES) == (0, "", ["{'type': 'str', 'max_length': 3} True"])


def test_models_of_openapi_are_built_when_one_is_used() -> None:
    lines = ["[False, False, False, False]", "True", "True n"]
    assert _run(MODELS) == (0, "", lines)


def test_plugins_are_looked_for_where_somebody_says_so() -> None:
    assert _run(PLUGINS) == (0, "", ["__all__"])
    assert _run(PLUGINS, PYDANTIC_DISABLE_PLUGINS="mine") == (0, "", ["mine"])
