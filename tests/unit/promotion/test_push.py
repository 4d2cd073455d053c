"""What a promotion signs of what it has pushed; tests/engine has a real registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.history.ledger import Entry, Promoted
from scripts.promotion import push
from scripts.promotion.planned import Plan

# digests of the registry, by (image, the engine's id)
Digests = Mapping[tuple[str, str], str]


def plan(sign: Any, *names: str) -> Plan:
    images = {name: Promoted(f"sha256:{name}", "", "", 1, 1) for name in names}
    entry = Entry(1, "", "", "promote", "", "", "", "", 1, 0, {"latest": 1}, images)
    return Plan(entry, (), {}, sign=sign)


def key(name: str) -> tuple[str, str]:
    return name, f"sha256:{name}"


def test_every_image_is_signed_and_each_index_of_the_ledger_once() -> None:
    signed: list[Digests] = []

    def sign(digests: Digests) -> list[Any]:
        signed.append(digests)
        return list(digests.values())

    names = ("base", "api", "arm64/base", "arm64/api")
    digests = {key(name): f"digest of {name}" for name in names}
    named = {name: f"index of {name.removeprefix('arm64/')}" for name in names}
    moves: list[Any] = push.signatures(plan(sign, *names), digests, named)
    assert signed == [digests, {key("base"): "index of base", key("api"): "index of api"}]
    assert moves == [*digests.values(), "index of base", "index of api"]


def test_images_of_this_machine_alone_have_no_index_to_sign() -> None:
    signed: list[Digests] = []

    def sign(digests: Digests) -> list[Any]:
        signed.append(digests)
        return []

    digests = {key("base"): "1", key("api"): "2"}
    assert push.signatures(plan(sign, "base", "api"), digests, {"base": "1", "api": "2"}) == []
    assert signed == [digests]


def test_without_a_key_nothing_is_signed() -> None:
    assert push.signatures(plan(None, "api"), {key("api"): "1"}, {"api": "index"}) == []
