"""Every line of a promotion and of a rollback is a place to be killed at.

The engine is one in memory whose tags outlive the process; tests/engine/test_kills.py
does the same at random lines on a real one.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.checks import gate
from scripts.engine.move import Move
from scripts.history import journal, ledger
from scripts.promotion import planned, promote, rollback, transaction
from scripts.promotion.options import Options
from scripts.promotion.signatures import Sign
from scripts.signing import attached
from tests.support import extent, sizes_only
from tests.support.kills import in_child
from tests.support.memory_registry import MemoryRegistry
from tests.unit.fakes import FakeEngine
from tests.unit.promotion.test_promote import CATALOG, image
from tests.unit.promotion.test_transaction import connect_to

TAGS = Path("tags.json")


@pytest.fixture(autouse=True)
def _sizes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "everything", sizes_only.everything)


class LastingEngine(FakeEngine):
    """Keeps its tags in a file, as an engine does when its client is killed."""

    def tag(self, source: str, repository: str, tag: str) -> bool:
        done = super().tag(source, repository, tag)
        self.save()
        return done

    def remove_image(self, reference: str, noprune: bool) -> list[Any]:
        done = super().remove_image(reference, noprune)
        self.save()
        return done

    def save(self) -> None:
        partial = TAGS.with_suffix(".new")
        partial.write_text(json.dumps(self.tags))
        partial.replace(TAGS)

    def load(self) -> None:
        self.tags = json.loads(TAGS.read_text())


def promoted(engine: FakeEngine, version: str, address: str) -> int:
    client: Any = engine
    knobs = {"ALLOW_DIRTY": "1", "VERSION": version, "REGISTRY": address}
    return promote.verify_and_promote(client, Options.read(knobs))


def rolled_back(engine: FakeEngine, address: str) -> int:
    client: Any = engine
    return rollback.rollback(client, Options())


def deployed(target: MemoryRegistry) -> dict[str, str]:
    return {
        tag: digest
        for tag, digest in target.digests.items()
        if ":kept-" not in tag and "@" not in tag
    }


def signing(target: MemoryRegistry) -> Sign:
    """Store a stand-in for a signature and a provenance of each image, in two manifests."""

    def sign(digests: Mapping[tuple[str, str], str]) -> list[Move]:
        return [
            attached.store(target, name, digest, suffix, [attached.Layer(suffix, b"{}", {}, "")])
            for (name, _), digest in digests.items()
            for suffix in ("att", "sig")
        ]

    return sign


@pytest.mark.parametrize(
    ("address", "signs"),
    [("", False), ("localhost/team", False), ("localhost/team", True)],
    ids=["engine", "registry", "signed"],
)
@pytest.mark.parametrize(
    "act",
    [lambda engine, address: promoted(engine, "1.4.2", address), rolled_back],
    ids=["promote", "rollback"],
)
def test_killed_at_any_line_it_is_all_old_or_all_new(
    folder: Path,
    act: Callable[[FakeEngine, str], int],
    address: str,
    signs: bool,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    engine, target = LastingEngine(), MemoryRegistry(file=Path("registry.json"))
    connect_to(target, engine, monkeypatch)
    for content, version in (("0", "1.4.0"), ("1", "1.4.1"), ("2", "")):
        engine.add(image(content), "sutra-base-python:prod")
        engine.add(image(content * 2), "sutra-api:prod")
        if version:
            promoted(engine, version, address)

    def snapshot() -> tuple[dict[str, str], dict[str, str], bytes]:
        return dict(engine.tags), deployed(target), ledger.LEDGER.read_bytes()

    old, pushed = snapshot(), dict(target.digests)
    plans: list[tuple[planned.Plan, Any]] = []
    with monkeypatch.context() as patch:
        patch.setattr(
            transaction, "carry_out", lambda client, plan, target: plans.append((plan, target))
        )
        act(engine, address)
    [(plan, registry)] = plans
    if signs:
        plan = replace(plan, sign=signing(target))

    def in_a_child(at: int) -> int:
        """Carry out the plan, from the old state, in a process that is killed."""
        engine.tags, target.digests = dict(old[0]), dict(pushed)
        engine.save()
        target.save()
        for path in Path(".build").iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        ledger.LEDGER.write_bytes(old[2])
        client: Any = engine
        lines = in_child(lambda: transaction.carry_out(client, plan, registry), at)
        engine.load()
        target.load()
        return lines

    lines = in_a_child(0)
    new = snapshot()
    assert new[0] != old[0]
    assert (new[1] != old[1]) == bool(address)
    signatures = [tag for tag in new[1].keys() - old[1].keys() if ":sha256-" in tag]
    assert len(signatures) == (4 if signs else 0)
    figures: Counter[str] = Counter()
    # a registry's loops are longer and run many times
    step = extent.share(whole=5, fast=45) if address else extent.share(whole=1, fast=9)
    for at in range(1, lines + 1, step):
        assert in_a_child(at) == -1
        pending = journal.JOURNAL.exists()
        with transaction.exclusive(engine):
            pass
        # the digests for Kubernetes exist only after a finished promotion
        left = {path.name for path in Path(".build").iterdir()} - {"kubernetes"}
        assert left == {"history.jsonl", "lock"}
        now = snapshot()
        outcome = "all old" if now == old else "all new" if now == new else "mixed"
        figures[outcome + (", was pending" if pending else "")] += 1
    with capfd.disabled():
        print(f"\nkilled at every {step}. of {lines} lines: {dict(figures)}")
    assert figures["mixed"] == figures["mixed, was pending"] == 0
    assert figures["all old, was pending"]
    assert figures["all new, was pending"]
