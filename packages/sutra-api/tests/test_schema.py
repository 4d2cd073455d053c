"""What the description promises, tried with generated requests (schemathesis), in process."""

import os
from typing import Any
from unittest.mock import patch

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CheckFunction, load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core import NotSet
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from fake_storage import FakeStorage
from sutra_api.app import create_app

TOKEN = "k" * 32
KEY = {"Authorization": f"Bearer {TOKEN}"}
EXAMPLES = 15  # an operation

load_all_checks()


@schemathesis.serializer("application/x-ndjson")
def lines(_: schemathesis.SerializationContext, value: object) -> bytes:
    return str(value).encode()


def load() -> schemathesis.BaseSchema:
    """Return the description of an app that wants the token, over a storage with two concepts."""
    fake = FakeStorage()
    fake.link("0", "1")
    with patch.dict(os.environ, {"SUTRA_API_KEY": TOKEN}):
        app = create_app(fake)
    config = SchemathesisConfig(seed=0)
    return schemathesis.openapi.from_asgi("/openapi.json", app, config=config, headers=KEY)


schema = load()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_operation(case: schemathesis.Case[Any]) -> None:
    excluded: list[CheckFunction] = []
    if case.operation.path.endswith("/associations") and "after" in (case.query or {}):
        # a cursor is the storage's own; no schema can say which ones it gave out
        excluded = [positive_data_acceptance]
    elif case.operation.path == "/batch" and not isinstance(case.body, NotSet):
        # on the wire everything is a string, and each line is judged for itself
        excluded = [negative_data_rejection]
    case.call_and_validate(headers=KEY, excluded_checks=excluded)
