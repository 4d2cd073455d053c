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


def test_what_is_put_off_is_made_when_it_is_asked_for() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE],
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    expected = {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
    assert (run.returncode, run.stderr, run.stdout) == (0, "", f"{expected}\n")
