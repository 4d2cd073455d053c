"""Test the facts about where an image comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scripts.common import labels
from scripts.image.inventory import Inventory, read
from scripts.report.html import provenance
from scripts.report.html.provenance import Fact
from tests.support.reports import inventory
from tests.unit.checks.sizes.test_causes import MORE, NUMPY, OURS
from tests.unit.fakes import FakeEngine, FakeImage

ALL = {
    labels.REVISION: "4fd198c",
    labels.CREATED: "2026-11-26T05:48:37+00:00",
    labels.VERSION: "1.2.0",
    labels.BASE_NAME: "sutra-base-python:prod",
    labels.BASE_DIGEST: "sha256:7",
    labels.ROOT: "debian:trixie-slim@sha256:9",
}


def add(engine: FakeEngine, cache: Path, *layers: bytes) -> Inventory:
    contents = read(engine, engine.add(FakeImage(layers, labels={labels.VERSION: "1"})), cache)
    assert contents
    return contents


def labelled(names: dict[str, str], **config: str) -> Inventory:
    return replace(inventory({"a": 1}), config={**config, "config": {"Labels": names}})


def test_every_label_is_a_fact() -> None:
    assert provenance.of(labelled(ALL, created="another")) == (
        Fact("image id", "sha256:1"),
        Fact("commit", "4fd198c"),
        Fact("created", "2026-11-26T05:48:37+00:00"),
        Fact("version", "1.2.0"),
        Fact("base", "sutra-base-python:prod"),
        Fact("base digest", "sha256:7"),
        Fact("root image", "debian:trixie-slim@sha256:9"),
    )


def test_what_no_label_names_is_not_recorded() -> None:
    values = [fact.value for fact in provenance.of(labelled({}))]
    assert values == ["sha256:1", *["not recorded"] * 6]


def test_the_time_is_the_configs_where_no_label_has_it() -> None:
    facts = {fact.name: fact.value for fact in provenance.of(labelled({}, created="2026-11-26"))}
    assert facts["created"] == "2026-11-26"


def test_a_base_is_known_by_its_layers(engine: FakeEngine, tmp_path: Path) -> None:
    base, other = add(engine, tmp_path, NUMPY), add(engine, tmp_path, MORE)
    image = add(engine, tmp_path, NUMPY, OURS)
    digest = [provenance.of(image, candidate)[5] for candidate in (base, other, None)]
    assert digest == [
        Fact("base digest", f"{base.id}, by its layers"),
        *[Fact("base digest", "not recorded")] * 2,
    ]
    assert provenance.of(image, replace(base, layers=()))[5].value == "not recorded"


def test_hostile_labels_are_short_printable_lines() -> None:
    hostile = dict.fromkeys(ALL, "\x1b[31m\u202e\n" + "x" * 10_000)
    for fact in provenance.of(labelled(hostile))[1:]:
        assert fact.value.isprintable()
        assert len(fact.value) == 121
