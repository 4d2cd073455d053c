from __future__ import annotations

import pytest

from scripts.common.errors import SutraError
from scripts.engine.move import Move
from scripts.engine.tags import apply
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

NAMES = ("a", "b", "c", "d")


def image(content: str) -> FakeImage:
    return FakeImage([tar_of({"file": content.encode()})])


def test_tags_go_to_ids(engine: FakeEngine) -> None:
    old, new = engine.add(image("old"), "a:latest"), engine.add(image("new"), "a:prod")
    apply(engine, [Move("a:latest", old, new), Move("b:latest", None, new)])
    assert engine.moves == [("a:latest", new), ("b:latest", new)]
    assert engine.tags == {"a:prod": new, "a:latest": new, "b:latest": new}


def test_a_tag_in_a_registry_with_a_port_is_split_at_its_last_colon(engine: FakeEngine) -> None:
    new = engine.add(image("new"))
    apply(engine, [Move("localhost:5000/a:latest", None, new)])
    assert engine.tags == {"localhost:5000/a:latest": new}


def test_a_tag_that_is_there_already_is_not_moved(engine: FakeEngine) -> None:
    same, new = engine.add(image("same"), "a:latest"), engine.add(image("new"))
    apply(engine, [Move("a:latest", same, same), Move("b:latest", None, new)])
    assert engine.moves == [("b:latest", new)]


def four_moves(engine: FakeEngine) -> list[Move]:
    """a and c have a tag already, b and d do not."""
    new = [engine.add(image(f"new {name}"), f"{name}:prod") for name in NAMES]
    old = [
        engine.add(image(f"old {name}"), f"{name}:latest") if name in "ac" else None
        for name in NAMES
    ]
    return [
        Move(f"{name}:latest", before, after)
        for name, before, after in zip(NAMES, old, new, strict=True)
    ]


@pytest.mark.parametrize("late", [False, True], ids=["before it moved", "after it moved"])
@pytest.mark.parametrize("name", NAMES)
def test_a_failure_at_any_tag_takes_all_moves_back(
    engine: FakeEngine, name: str, late: bool
) -> None:
    moves = four_moves(engine)
    before = dict(engine.tags)
    engine.fail_tag, engine.fail_late = f"{name}:latest", late
    with pytest.raises(SutraError) as caught:
        apply(engine, moves)
    assert caught.value.message == f'engine: cannot tag "{name}:latest": disk is read-only'
    assert caught.value.tip == "run `make engine`"
    assert engine.tags == before


@pytest.mark.parametrize("name", NAMES)
def test_a_tag_that_cannot_be_set_at_all_does_not_hold_up_the_others(
    engine: FakeEngine, name: str
) -> None:
    moves = four_moves(engine)
    before = dict(engine.tags)
    engine.fail_tag, engine.fail_always = f"{name}:latest", True
    with pytest.raises(SutraError) as caught:
        apply(engine, moves)
    assert caught.value.message == f'engine: cannot tag "{name}:latest": disk is read-only'
    assert engine.tags == before


@pytest.mark.parametrize("late", [False, True], ids=["before it moved", "after it moved"])
@pytest.mark.parametrize("name", NAMES)
def test_an_interrupt_at_any_tag_takes_all_moves_back(
    engine: FakeEngine, name: str, late: bool
) -> None:
    moves = four_moves(engine)
    before = dict(engine.tags)
    engine.fail_tag, engine.fail_late = f"{name}:latest", late
    engine.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        apply(engine, moves)
    assert engine.tags == before


def test_moving_nothing_succeeds(engine: FakeEngine) -> None:
    apply(engine, [])
    assert engine.moves == []
