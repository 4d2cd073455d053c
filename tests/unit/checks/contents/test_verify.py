"""Test what all rules share: a good image passes, findings are cut, hostile images are judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import certifi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.contents import verify as verify_contents
from scripts.checks.contents.rules import RULES
from scripts.common.errors import SutraError
from scripts.image import inventory, secret_scan
from tests.support.good_image import NAME, good
from tests.unit.checks.contents.judging import (
    DER,
    PEM,
    details,
    pem,
    promise,
    verify,
)
from tests.unit.fakes import FakeEngine


def test_an_image_that_keeps_every_rule_passes_them_all(tmp_path: Path) -> None:
    results = verify(tmp_path, good())
    assert details(results, tmp_path) == []
    assert [
        (result.image, result.name, result.actual, result.limit, result.detail, result.unit)
        for result in results
    ] == [(NAME, f"contents.{rule.name}", 0, 0, "", rule.unit) for rule in RULES]


@pytest.mark.parametrize(
    ("count", "last"),
    [
        (1000, 'forbidden "app/999.h"'),
        (1001, "1 more, which are not kept"),
    ],
)
def test_findings_that_are_kept_have_an_end(count: int, last: str, tmp_path: Path) -> None:
    results = verify(tmp_path, good({f"app/{n}.h": "" for n in range(count)}))
    (headers,) = (result for result in results if not result.ok)
    assert headers.actual == count
    assert headers.findings[:2] == ('forbidden "app/0.h"', 'forbidden "app/1.h"')
    assert len(headers.findings) == min(count, 1001)
    assert headers.findings[-1] == last
    assert headers.detail.endswith(f'forbidden "app/0.h" (+{count - 1} more)')


def test_a_missing_image_is_reported_as_not_built(engine: FakeEngine, tmp_path: Path) -> None:
    promises = promise(tmp_path)
    with pytest.raises(SutraError) as caught:
        verify_contents.verify_one(cast(Any, engine), promises, promises.find(NAME), f"{NAME}:prod")
    assert caught.value.message == f'{promises.path}: images.{NAME}: not built "{NAME}:prod"'
    assert caught.value.tip == "run `make build`"


def test_private_are_certificates_that_the_machine_trusts_and_nobody_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, own = DER[:-1] + b"\0", DER
    bundle, shipped = tmp_path / "bundle.pem", tmp_path / "shipped"
    bundle.write_bytes(Path(certifi.where()).read_bytes() + PEM + pem(public))
    (shipped / "mozilla").mkdir(parents=True)
    (shipped / "mozilla" / "x.crt").write_bytes(pem(public))
    monkeypatch.setenv("CA_BUNDLE", str(bundle))
    monkeypatch.setattr(verify_contents, "SHIPPED", shipped)
    assert verify_contents.private_certificates() == {secret_scan.fingerprint(own)}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


KEYS = ["User", "Env", "Labels", "Entrypoint", "Cmd", "Healthcheck", "WorkingDir"]


@given(st.dictionaries(st.sampled_from(KEYS), JSON), JSON)
def test_no_configuration_makes_a_rule_fail_to_judge(config: dict[str, Any], history: Any) -> None:
    image = inventory.Inventory("x", "x", "amd64", {"config": config, "history": history}, ())
    promises = Catalog(Path("images.yaml"), (Image("x", Budget(1, 1)),), Budget(1, 1))
    results = verify_contents.judge(promises, promises.images[0], image)
    assert [result.name for result in results] == [f"contents.{rule.name}" for rule in RULES]
    assert all("\n" not in result.detail for result in results)


@pytest.mark.parametrize(
    ("architecture", "problem"),
    [("amd64", ""), ("", ""), ("arm64", 'an image for "amd64"')],
)
def test_an_image_is_of_the_platform_that_it_is_checked_for(
    tmp_path: Path, architecture: str, problem: str
) -> None:
    """One of another platform may run here, and would end at once on the nodes it is for."""
    promises = promise(tmp_path)
    image = replace(
        promises.find(NAME), name=f"{architecture}/{NAME}".lstrip("/"), architecture=architecture
    )
    place = good().save(tmp_path / "image.tar")
    contents = inventory.read(None, f"archive:{place}", tmp_path / "cache")
    assert contents
    results = verify_contents.judge(promises, image, contents)
    (result,) = (candidate for candidate in results if candidate.name == "contents.architecture")
    assert (result.ok, result.problem) == (not problem, problem)
    assert result.key == f"images.{NAME}.contents.architecture"
