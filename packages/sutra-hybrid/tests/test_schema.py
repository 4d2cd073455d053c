"""What the description promises, tried with generated requests (schemathesis), in process."""

import os
from typing import Any
from unittest.mock import patch

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig

from fake_storage import FakeStorage
from sutra_hybrid.app import create_app

TOKEN = "k" * 32
KEY = {"Authorization": f"Bearer {TOKEN}"}
EXAMPLES = 25  # an operation
CONFIG = {
    "seed": 0,
    # a text over its length is refused also by the length of the whole body, which is 413
    "checks": {"negative_data_rejection": {"expected-statuses": [400, 401, 404, 405, 413, 415]}},
}

load_all_checks()


def load() -> schemathesis.BaseSchema:
    """Return the description of an app that wants the token, over a storage with a few concepts."""
    fake = FakeStorage()
    for concept_id, text in (("0", "0 a"), ("1", ""), ("2", "true null")):
        fake.add(concept_id, text)
    fake.link("0", "1")
    with patch.dict(os.environ, {"SUTRA_API_KEY": TOKEN}):
        app = create_app(fake)
    config = SchemathesisConfig.from_dict(CONFIG)
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
    case.call_and_validate(headers=KEY)
