"""The group also moves as one in a registry that fails, disappears, or removes no tags."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.checks import gate
from scripts.common.errors import SutraError
from scripts.deploy import kustomize_images
from scripts.engine import images, registries
from scripts.history import journal, ledger
from scripts.promotion import compression, planned, promote, rollback, transaction
from scripts.promotion.options import Options
from tests.support import sizes_only
from tests.support.memory_registry import MemoryRegistry
from tests.unit.fakes import FakeEngine
from tests.unit.promotion.test_promote import CATALOG, image

KEPT = ":kept-"


@pytest.fixture(autouse=True)
def _sizes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "everything", sizes_only.everything)


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine) -> MemoryRegistry:
    """A registry to which the engine in memory pushes."""
    registry = MemoryRegistry()
    connect_to(registry, engine, monkeypatch)
    return registry


def connect_to(
    registry: MemoryRegistry, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (transaction, promote, rollback):
        monkeypatch.setattr(module, "Registry", lambda client, address: registry)
    monkeypatch.setattr(
        registries,
        "push",
        lambda client, reference: registry.push(reference, engine.tags[reference]),
    )
    monkeypatch.setattr(images, "digests", lambda client, reference: {engine.tags[reference]})


@pytest.fixture
def built(engine: FakeEngine, folder: Path, target: MemoryRegistry) -> FakeEngine:
    (folder / "images.yaml").write_text(CATALOG)
    engine.add(image("1"), "sutra-base-python:prod")
    return engine


def go(engine: FakeEngine, content: str, version: str = "", dry_run: str = "") -> int:
    engine.add(image(content), "sutra-api:prod")
    client: Any = engine
    knobs = {"ALLOW_DIRTY": "1", "VERSION": version, "REGISTRY": "localhost/team"}
    knobs["DRY_RUN"] = dry_run
    return promote.verify_and_promote(client, Options.read(knobs))


def both(engine: FakeEngine, target: MemoryRegistry) -> tuple[dict[str, str], dict[str, str]]:
    """Return what people deploy: from the registry and from the engine."""
    return tuple(  # type: ignore[return-value] # of the two
        {
            tag: identity
            for tag, identity in tags.items()
            if KEPT not in tag and not tag.endswith(":prod")
        }
        for tags in (target.digests, engine.tags)
    )


def test_the_registry_gets_the_same_tags_and_no_tag_of_the_push_stays(
    built: FakeEngine, target: MemoryRegistry
) -> None:
    assert go(built, "a", "1.4.2") == 0
    remote, local = both(built, target)
    assert remote == {f"localhost/team/{tag}": identity for tag, identity in local.items()}
    assert not any(tag.startswith("localhost") for tag in built.tags)
    [entry] = ledger.read()
    assert all(image.digest == image.id for image in entry.images.values())


def test_new_tags_move_last(built: FakeEngine, target: MemoryRegistry) -> None:
    go(built, "a", "1.4.1")
    target.moves.clear()
    go(built, "b", "1.4.2")
    assert target.moves == [
        *(f"localhost/team/sutra-api:{tag}" for tag in ("1.4", "1", "latest")),
        "localhost/team/sutra-base-python:1.4.2",
        "localhost/team/sutra-api:1.4.2",
    ]


@pytest.mark.parametrize("tag", ["1.4", "1", "latest", "1.4.2"])
def test_a_registry_that_fails_at_any_tag_moves_nothing(
    built: FakeEngine, target: MemoryRegistry, tag: str
) -> None:
    go(built, "a", "1.4.1")
    before = both(built, target)
    target.fail_at = f"localhost/team/sutra-api:{tag}"
    with pytest.raises(SutraError) as caught:
        go(built, "b", "1.4.2")
    assert (caught.value.message, caught.value.tip) == ("registry: away", "wait")
    assert both(built, target) == before
    assert journal.read() is None
    assert len(ledger.read()) == 1


def test_a_registry_that_stays_away_is_settled_by_the_next_command(
    built: FakeEngine, target: MemoryRegistry
) -> None:
    go(built, "a", "1.4.1")
    before = both(built, target)
    target.fail_at, target.away = "localhost/team/sutra-api:latest", 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, "_reached", _away(target))
        with pytest.raises(SutraError) as caught:
            go(built, "b", "1.4.2")
    assert caught.value.tip == (
        "the next `make promote` or `make rollback` settles what is unfinished (registry: away)"
    )
    assert both(built, target)[0] != before[0]
    assert both(built, target)[1] == before[1]  # the engine's tags come after the registry's
    target.away = 0
    client: Any = built
    with transaction.exclusive(client):
        pass
    assert both(built, target) == before


def _away(target: MemoryRegistry) -> Any:
    def reached() -> None:
        if target.fail_at == "":
            raise SutraError("registry: away", "wait")

    return reached


def test_where_no_tag_can_be_removed_a_new_one_is_finished(
    built: FakeEngine, target: MemoryRegistry, capfd: pytest.CaptureFixture[str]
) -> None:
    go(built, "a", "1.4.1")
    target.deletes = False
    target.fail_at = "localhost/team/sutra-api:1.4.2"  # the base has its 1.4.2 by then
    assert go(built, "b", "1.4.2") == 0
    assert "could not be undone, so it was completed" in capfd.readouterr().err
    remote, local = both(built, target)
    assert remote == {f"localhost/team/{tag}": identity for tag, identity in local.items()}
    assert local["sutra-api:latest"] == built.tags["sutra-api:prod"]
    assert [entry.version for entry in ledger.read()] == ["1.4.1", "1.4.2"]
    assert journal.read() is None


def test_a_digest_that_is_not_the_engines_moves_nothing(
    built: FakeEngine, target: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "digests", lambda client, reference: {"sha256:other"})
    base = built.tags["sutra-base-python:prod"]
    before = dict(built.tags)
    with pytest.raises(SutraError) as caught:
        go(built, "a")
    reference = f"localhost/team/sutra-base-python:{planned.kept_tag(base)}"
    assert caught.value.message == (
        f'registry: digest of "{reference}" is {base}, the engine has sha256:other'
    )
    assert caught.value.tip == "retry, or ask the registry's administrators"
    assert both(built, target) == ({}, {})
    assert {**before, "sutra-api:prod": built.tags["sutra-api:prod"]} == built.tags


def test_a_dry_run_refuses_a_version_that_the_registry_has_on_other_images(
    built: FakeEngine, target: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(built, "a", "1.4.2")
    first = built.tags["sutra-api:1.4.2"]
    ledger.LEDGER.unlink()  # as another machine, which knows of nothing
    built.tags = {tag: identity for tag, identity in built.tags.items() if tag.endswith(":prod")}
    digests: dict[str, set[str]] = {}
    monkeypatch.setattr(
        images, "digests_anywhere", lambda _, reference: digests.get(reference, set())
    )
    assert go(built, "b", "1.4.2", dry_run="1") == 0  # only the push would tell the digest
    other = built.tags["sutra-api:prod"]
    digests[other] = {other}
    with pytest.raises(SutraError) as caught:
        go(built, "b", "1.4.2", dry_run="1")
    assert caught.value.message == (
        f'VERSION: "localhost/team/sutra-api:1.4.2" is set already, to {first}, not {other}'
    )
    assert caught.value.tip == "a version never moves: choose the next one"
    digests[other] = {first}  # the same image under the digest that the classic store has for it
    assert go(built, "b", "1.4.2", dry_run="1") == 0


def test_rollback_goes_to_the_registry_of_the_last_promotion(
    built: FakeEngine, target: MemoryRegistry
) -> None:
    go(built, "a")
    before = both(built, target)
    go(built, "b")
    client: Any = built
    assert rollback.rollback(client, Options()) == 0
    assert both(built, target) == before
    assert ledger.read()[-1].registry == "localhost/team"


# ---- the digests that Kubernetes deploys -----------------------------------


def deployed() -> dict[str, str]:
    """Return the digest of each image in the file that promotion writes for Kubernetes."""
    written = yaml.safe_load(kustomize_images.FILE.read_text())
    return {image["newName"]: image["digest"] for image in written["images"]}


def test_kubernetes_gets_the_digests_of_the_ledgers_last_line(
    built: FakeEngine, target: MemoryRegistry
) -> None:
    go(built, "a", "1.4.1")
    first = deployed()
    assert first == {
        f"localhost/team/{name}": target.digests[f"localhost/team/{name}:1.4.1"]
        for name in ("sutra-base-python", "sutra-api")
    }
    target.fail_at = "localhost/team/sutra-api:latest"
    with pytest.raises(SutraError):
        go(built, "b", "1.4.2")
    assert deployed() == first
    target.fail_at = ""
    go(built, "b", "1.4.2")
    assert deployed()["localhost/team/sutra-api"] != first["localhost/team/sutra-api"]
    client: Any = built
    assert rollback.rollback(client, Options()) == 0
    assert deployed() == first


def test_a_run_that_is_killed_before_it_wrote_them_is_finished(
    built: FakeEngine, target: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kustomize_images, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            go(built, "a")
    assert not kustomize_images.FILE.exists()
    client: Any = built
    with transaction.exclusive(client):
        pass
    assert set(deployed()) == {"localhost/team/sutra-base-python", "localhost/team/sutra-api"}
    assert journal.read() is None


def test_tags_that_moved_without_their_line_are_not_called_unmoved(
    built: FakeEngine, target: MemoryRegistry
) -> None:
    go(built, "a", "1.4.1")
    target.deletes = False  # so that 1.4.2 can only be finished

    def refuse(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.write", refuse)
        with pytest.raises(SutraError) as caught:
            go(built, "b", "1.4.2")
        client: Any = built
        with pytest.raises(SutraError) as again, transaction.exclusive(client):
            pass
    full = ".build/history.jsonl: cannot be written: No space left on device"
    missing = f"{full}, the tags have moved, only their line is missing"
    assert caught.value.message == full
    assert caught.value.tip == f"{journal.UNFINISHED} ({missing})"
    assert again.value.message == missing
    assert again.value.tip == "`df -h .build` and `ls -ld .build` say more"
    assert built.tags["sutra-api:latest"] == built.tags["sutra-api:prod"]
    with transaction.exclusive(client):
        assert [entry.version for entry in ledger.read()] == ["1.4.1", "1.4.2"]


# ---- somebody else moves a tag meanwhile ---------------------------------------

OTHER = "sha256:" + "e" * 64
LOOK = "look at what moved it, then run the same command again"


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, place: Any, name: str, act: Callable[[], object], last: int = 1
) -> None:
    """Have `act` run once, after the call number `last` of a function."""
    real, calls = getattr(place, name), 0

    def wrapped(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        result = real(*arguments, **options)
        calls += 1
        if calls == last:
            act()
        return result

    monkeypatch.setattr(place, name, wrapped)


def refused(engine: FakeEngine, version: str = "") -> tuple[str, str]:
    with pytest.raises(SutraError) as caught:
        go(engine, "b", version)
    assert journal.read() is None
    return caught.value.message, caught.value.tip


def moved(tag: str, actual: str, *expected: str) -> str:
    return (
        f'promote: "{tag}" was moved by somebody else: on {actual}, not on {" or ".join(expected)}'
    )


@pytest.mark.parametrize("when", ["checks", "push", "moves"])
def test_a_registry_tag_that_somebody_else_moves_stays_theirs(
    built: FakeEngine, target: MemoryRegistry, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    go(built, "a")
    first, local = built.tags["sutra-api:latest"], both(built, target)[1]
    tag = "localhost/team/sutra-api:latest"

    def theirs() -> None:
        target.digests[tag] = OTHER

    place = {"checks": (gate, "everything"), "push": (target, "digest"), "moves": (target, "move")}
    meanwhile(monkeypatch, *place[when], theirs, last=1 if when != "push" else 5)
    message, tip = refused(built)
    second = built.tags["sutra-api:prod"]
    expected = {"checks": [first, second], "push": [first, second], "moves": [second]}
    assert message == moved(tag, OTHER, *expected[when])
    assert tip == LOOK
    assert target.digests[tag] == OTHER
    assert both(built, target)[1] == local
    assert len(ledger.read()) == 1


@pytest.mark.parametrize("when", ["checks", "push", "moves"])
def test_an_engine_tag_that_somebody_else_moves_stays_theirs(
    built: FakeEngine, target: MemoryRegistry, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    go(built, "a")
    first, remote = built.tags["sutra-api:latest"], both(built, target)[0]
    other = built.add(image("o"))
    tag = "sutra-api:latest"

    def theirs() -> None:
        built.tags[tag] = other

    place = {"checks": (gate, "everything"), "push": (target, "move"), "moves": (ledger, "append")}
    if when == "moves":
        meanwhile(monkeypatch, transaction, "_move_all", theirs)
    else:
        meanwhile(monkeypatch, *place[when], theirs)
    message, tip = refused(built)
    second = built.tags["sutra-api:prod"]
    expected = [second] if when == "moves" else [first, second]
    assert message == moved(tag, other, *expected)
    assert tip == LOOK
    assert built.tags[tag] == other
    assert both(built, target)[0] == remote
    assert len(ledger.read()) == 1


def test_a_newer_version_that_somebody_else_promotes_meanwhile_is_not_moved_back(
    built: FakeEngine, target: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest version was determined before the checks, which take minutes."""
    go(built, "a", "1.4.1")
    newer = {f"localhost/team/sutra-api:{tag}": OTHER for tag in ("1.5.0", "1.5", "1", "latest")}
    meanwhile(monkeypatch, gate, "everything", lambda: target.digests.update(newer))
    message, _ = refused(built, "1.4.2")
    assert message.startswith('promote: "localhost/team/sutra-api:1" was moved by somebody else')
    assert target.digests.items() >= newer.items()


def test_the_same_move_by_somebody_else_is_no_obstacle(
    built: FakeEngine, target: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(built, "a")
    tag = "sutra-api:latest"
    meanwhile(
        monkeypatch,
        gate,
        "everything",
        lambda: built.tags.update({tag: built.tags["sutra-api:prod"]}),
    )
    assert go(built, "b") == 0
    assert len(ledger.read()) == 2


def test_a_tag_that_somebody_else_removes_is_noticed(
    built: FakeEngine, target: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(built, "a")
    first = built.tags["sutra-api:latest"]
    meanwhile(monkeypatch, gate, "everything", lambda: built.tags.pop("sutra-api:latest"))
    message, _ = refused(built)
    second = built.tags["sutra-api:prod"]
    assert message == moved("sutra-api:latest", "(none)", first, second)


def test_what_can_go_neither_way_is_left_to_a_person(
    built: FakeEngine, target: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new tag that no registry removes, and another that somebody else has moved since."""
    go(built, "a", "1.4.1")
    target.deletes = False
    tag = "localhost/team/sutra-api:latest"

    real = target.move

    def move(reference: str, digest: str) -> None:
        real(reference, digest)
        if reference.endswith("/sutra-api:1.4.2"):  # the last one
            target.digests[tag] = OTHER

    monkeypatch.setattr(target, "move", move)
    with pytest.raises(SutraError) as caught:
        go(built, "b", "1.4.2")
    second = built.tags["sutra-api:prod"]
    assert caught.value.message == moved(tag, OTHER, second)
    assert target.digests[tag] == OTHER
    client: Any = built
    with pytest.raises(SutraError) as again, transaction.exclusive(client):
        pass
    assert again.value.tip == journal.BY_HAND
    assert len(ledger.read()) == 1


def test_a_registry_that_goes_away_after_its_last_tag_leaves_the_engine_as_it_was(
    built: FakeEngine, target: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be undone then, and the engine must not be half a promotion ahead of it."""
    go(built, "a")
    before = both(built, target)[1]

    real = target.move

    def last(reference: str, digest: str) -> None:
        real(reference, digest)
        target.away = 1000

    monkeypatch.setattr(target, "move", last)
    with pytest.raises(SutraError) as caught:
        go(built, "b")
    assert caught.value.message == "registry: away"
    assert both(built, target)[1] == before
    target.away = 0
    monkeypatch.setattr(target, "move", real)
    client: Any = built
    with transaction.exclusive(client):
        pass
    assert both(built, target)[1] == before
    assert len(ledger.read()) == 1


# ---- layers packed by zstd ---------------------------------------------------


def test_zstd_has_a_digest_of_its_own_and_a_rollback_goes_back_to_it(
    built: FakeEngine, target: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry is one in memory; tests/engine/test_zstd_promotion.py has a real one."""

    def push(registry: MemoryRegistry, reference: str, digest: str, layers: object) -> str:
        packed = f"sha256:{digest[7:][::-1]}"
        registry.push(f"{reference}{compression.KEPT_SUFFIX}", packed)
        return packed

    monkeypatch.setattr(compression, "push", push)
    monkeypatch.setattr(
        target, "has", lambda _, digest: digest in target.digests.values(), raising=False
    )
    client: Any = built
    for number, content in enumerate("ab"):
        built.add(image(content), "sutra-api:prod")
        knobs = {"ALLOW_DIRTY": "1", "VERSION": f"1.0.{number}", "REGISTRY": "localhost/team"}
        options = Options.read({**knobs, "COMPRESSION": "zstd"})
        assert promote.verify_and_promote(client, options) == 0
    entries = ledger.read()
    assert [entry.compression for entry in entries] == ["zstd", "zstd"]
    first, second = (entry.images["sutra-api"].digest for entry in entries)
    assert target.digests["localhost/team/sutra-api:latest"] == second != first
    assert rollback.rollback(client, Options.read({"ALLOW_DIRTY": "1"})) == 0
    assert target.digests["localhost/team/sutra-api:latest"] == first
    assert ledger.read()[-1].compression == "zstd"
