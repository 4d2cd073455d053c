"""What of a tag's containers is left, told from the engine's events about everybody's."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.engine.leftovers import Record, Tagged, moment, read

TAG = "sutra-api:bench-1"
COMMITTED = "sha256:c0ffee"


def event(kind: str, action: str, identity: str, **attributes: str) -> dict[str, Any]:
    """Return an event in the engine's form (moby, api/types/events)."""
    return {
        "Type": kind,
        "Action": action,
        "Actor": {"ID": identity, "Attributes": attributes},
    }


def volume(name: str) -> dict[str, Any]:
    return event("volume", "create", name, driver="local")


def container(name: str, image: str) -> dict[str, Any]:
    return event("container", "create", name, image=image, name=f"name-of-{name}")


def commit(name: str) -> dict[str, Any]:
    return event("container", "commit", name, image=TAG, imageID=COMMITTED)


TAGGED = event("image", "tag", "sha256:1", name=TAG)
# a program that commits its first container, and makes the second of that
FIRST = [volume("v1"), volume("v2"), container("c1", TAG)]
SECOND = [commit("c1"), volume("v3"), volume("v4"), container("c2", COMMITTED)]


def record(*events: dict[str, Any], declared: int = 2) -> Record:
    return read(events, Tagged(TAG, begun="0", declared=declared))


def test_volumes_before_each_container_are_its_own() -> None:
    assert record(TAGGED, *FIRST, *SECOND) == Record(
        ["c1", "c2"], [COMMITTED], ["v1", "v2", "v3", "v4"], unsure=0
    )


@pytest.mark.parametrize("place", [1, 2, 3])
def test_no_volume_of_a_container_is_sure_with_somebody_elses_between(place: int) -> None:
    events = [TAGGED, *FIRST]
    events.insert(place, volume("theirs"))
    assert record(*events, *SECOND) == Record(["c1", "c2"], [COMMITTED], ["v3", "v4"], unsure=2)


def test_fewer_volumes_than_the_image_declares_are_not_taken_for_its_own() -> None:
    assert record(TAGGED, volume("v1"), container("c1", TAG)) == Record(["c1"], [], [], unsure=2)


def test_a_container_of_somebody_else_does_not_make_its_volumes_ours() -> None:
    theirs = [volume("theirs-1"), volume("theirs-2"), container("theirs", "postgres:16")]
    assert record(TAGGED, *theirs, *FIRST, *SECOND) == Record(
        ["c1", "c2"], [COMMITTED], ["v3", "v4"], unsure=2
    )
    # another container is created after one volume of ours: our volume stays pending all the same
    mixed = [volume("theirs"), volume("v1"), container("theirs", "postgres:16"), *FIRST[1:]]
    assert record(TAGGED, *mixed) == Record(["c1"], [], [], unsure=2)


def test_volumes_after_the_last_container_are_somebody_elses() -> None:
    events = [*FIRST, volume("theirs-1"), volume("theirs-2")]
    assert record(TAGGED, *events, container("theirs", "sutra-api:prod")) == Record(
        ["c1"], [], ["v1", "v2"], unsure=0
    )


def test_an_image_that_declares_no_volume_has_none() -> None:
    containers = [container("c1", TAG), volume("theirs"), commit("c1"), container("c2", COMMITTED)]
    assert record(TAGGED, *containers, declared=0) == Record(["c1", "c2"], [COMMITTED], [], 0)


def test_images_that_somebody_else_committed_are_none_of_ours() -> None:
    theirs = event("container", "commit", "theirs", image="postgres:16", imageID="sha256:2")
    events = [theirs, volume("v"), container("c", "sha256:2")]
    assert record(TAGGED, *events, declared=1) == Record([], [], [], unsure=0)


def test_volumes_are_unsure_where_the_engine_has_forgotten_the_tag() -> None:
    other = event("image", "tag", "sha256:1", name="sutra-api:prod")
    # two volumes were told, but not whether they are the last ones of more
    assert record(other, *FIRST) == Record(["c1"], [], [], unsure=2)
    assert record(*FIRST, *SECOND) == Record(["c1", "c2"], [COMMITTED], ["v3", "v4"], unsure=2)
    assert record(volume("v1")) == Record([], [], [], unsure=2)


def test_a_volume_before_the_tag_is_somebody_elses() -> None:
    assert record(volume("theirs"), TAGGED, *FIRST) == Record(["c1"], [], ["v1", "v2"], unsure=0)


def test_a_moment_is_seconds_by_the_engines_clock() -> None:
    assert moment("2026-05-06T07:08:09.123456789Z") == "1778051289.123456"
    assert moment("2026-05-06T09:08:09.123456789+02:00") == "1778051289.123456"
