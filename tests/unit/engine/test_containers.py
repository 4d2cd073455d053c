from __future__ import annotations

import pytest
import requests
from docker.errors import APIError

from scripts.common.errors import SutraError
from scripts.engine import containers


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, 'exec: "serve": executable file not found in $PATH'),
        (409, "container abc is not running"),
        (500, "OCI runtime exec failed: no such file"),
        (500, "container abc init process is not running: failed precondition"),
    ],
)
def test_a_command_that_cannot_be_run_is_not_a_failure_of_the_engine(
    status: int, said: str
) -> None:
    with pytest.raises(containers.CommandError) as caught, containers.running():
        raise refusal(status, said)
    assert str(caught.value) == said


def test_an_engine_that_fails_is_one() -> None:
    with pytest.raises(SutraError) as caught, containers.running():
        raise refusal(500, "disk is read-only")
    assert caught.value.message == "engine: cannot run a container: disk is read-only"


def refusal(status: int, said: str) -> APIError:
    response = requests.Response()
    response.status_code = status
    return APIError("refused", response=response, explanation=said)
