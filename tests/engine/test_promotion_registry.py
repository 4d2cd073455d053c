"""Promotion into a real registry: plain, with TLS and a password, and with connections cut."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.history import journal, ledger
from scripts.oci.registry_tags import Registry
from scripts.promotion import planned, promote, rollback, transaction
from scripts.promotion.options import Options
from tests.support import registries
from tests.support.registries import cutting, registry
from tests.support.tiny import Group
from tests.unit.fakes import program

CUTS = 12


pytestmark = pytest.mark.usefixtures("checks_of_sizes")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("plain")) as address:
        yield address


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("secured"), secured=True) as address:
        yield address


def options(**knobs: str) -> Options:
    return Options.read({"ALLOW_DIRTY": "1", **knobs})


def remote(group: Group, address: str) -> dict[str, str | None]:
    """Return "image:tag" → digest of everything that people deploy from the registry."""
    target = Registry(group.client, address)
    return {
        f"{name}:{tag}": target.digest(target.reference(name, tag))
        for name in group.names
        for tag in sorted(target.tags(name))
        if not tag.startswith(planned.KEPT)
    }


def deployed(group: Group) -> dict[str, str]:
    return group.tags("prod", "kept")


def digests_of(group: Group) -> dict[str, str]:
    """Return the group's tags → digests as the ledger has them from the last push."""
    entries = ledger.read()
    return {
        f"{name}:{tag}": entries[number - 1].images[name].digest
        for tag, number in ledger.state(entries).items()
        for name in group.names
        if (name, tag) != (group.base, "latest")
    }


def test_tags_and_digests_in_the_registry_are_the_local_ones(group: Group, plain: str) -> None:
    address = f"{plain}/team"
    ids = group.build("one")
    assert promote.verify_and_promote(group.client, options(VERSION="1.4.2", REGISTRY=address)) == 0
    tags = remote(group, address)
    assert tags == digests_of(group)
    assert sorted(tags) == sorted(deployed(group))
    for name, identity in ids.items():  # the classic store has no digest until a push
        digests = group.client.images.get(identity).attrs["RepoDigests"]
        assert {tags[f"{name}:1.4.2"]} >= {digest.partition("@")[2] for digest in digests}


def test_a_base_is_pushed_though_its_latest_is_not_promoted(group: Group, plain: str) -> None:
    ids = group.build("one")
    promote.verify_and_promote(group.client, options(REGISTRY=plain))
    target = Registry(group.client, plain)
    assert target.tags(group.base) == {planned.kept_tag(ids[group.base])}
    assert "latest" in target.tags(group.api)


def test_rollback_moves_the_registry_back_to_the_very_same_digests(
    group: Group, plain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []
    for version in ("1.4.1", "1.4.2"):
        group.build(version)
        promote.verify_and_promote(group.client, options(VERSION=version, REGISTRY=plain))
        seen.append((remote(group, plain), deployed(group)))
    assert rollback.rollback(group.client, options()) == 0
    back = remote(group, plain), deployed(group)
    for (first, second), now in zip(zip(*seen, strict=True), back, strict=True):
        assert now == {**second, **first}
    assert now != second


def test_another_machine_does_not_move_floating_tags_backwards(
    group: Group, plain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.build("new")
    promote.verify_and_promote(group.client, options(VERSION="1.4.2", REGISTRY=plain))
    before = remote(group, plain)
    group.remove()
    other = Group(group.client, tmp_path / "other", group.api.split("-")[2])
    monkeypatch.chdir(other.folder)
    other.build("old")
    assert promote.verify_and_promote(group.client, options(VERSION="1.3.9", REGISTRY=plain)) == 0
    after = remote(group, plain)
    assert {tag.partition(":")[2] for tag in after.keys() - before.keys()} == {"1.3.9", "1.3"}
    assert {tag: after[tag] for tag in before} == before


def test_a_version_that_the_registry_has_is_not_moved(
    group: Group, plain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = group.build("new")
    promote.verify_and_promote(group.client, options(VERSION="1.4.2", REGISTRY=plain))
    before = remote(group, plain)
    group.remove()
    other = Group(group.client, tmp_path / "other", group.api.split("-")[2])
    monkeypatch.chdir(other.folder)
    second = other.build("other")
    with pytest.raises(SutraError) as caught:
        promote.verify_and_promote(group.client, options(VERSION="1.4.2", REGISTRY=plain))
    tag = f"{plain}/{group.base}:1.4.2"
    pushed = f"{plain}/{group.base}:{planned.kept_tag(second[group.base])}"
    assert caught.value.message == (
        f'VERSION: "{tag}" is set already, to {before[f"{group.base}:1.4.2"]}, '
        f"not {Registry(group.client, plain).digest(pushed)}"
    )
    assert caught.value.tip == "a version never moves: choose the next one"
    assert remote(group, plain) == before
    assert set(other.tags()) == {f"{name}:prod" for name in group.names}
    assert first != second


# ---- logins ----------------------------------------------------------------

HELPER = """read -r server
[ "$1" = get ] || exit 1
printf '{"ServerURL": "%s", "Username": "{user}", "Secret": "{password}"}' "$server"
"""


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write Docker's configuration with a test's credential helper; return its folder."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"credsStore": "sutra-test"}))
    log_in(tmp_path / "bin", registries.PASSWORD)
    return tmp_path / "bin"


def log_in(folder: Path, password: str) -> None:
    text = HELPER.replace("{user}", registries.USER).replace("{password}", password)
    program(folder, "docker-credential-sutra-test", text)


@contextmanager
def connected() -> Iterator[docker.DockerClient]:
    """A new client, which reads Docker's configuration as each command does."""
    client = engine.connect()
    try:
        yield client
    finally:
        client.close()


def test_tls_and_a_password_from_a_credential_helper(
    group: Group, secured: str, helper: Path
) -> None:
    group.build("one")
    with connected() as client:
        knobs = options(VERSION="1.4.2", REGISTRY=f"{secured}/team")
        assert promote.verify_and_promote(client, knobs) == 0
    assert remote(group, f"{secured}/team") == digests_of(group)


def test_a_wrong_password_moves_nothing(group: Group, secured: str, helper: Path) -> None:
    log_in(helper, "wrong")
    group.build("one")
    with connected() as client, pytest.raises(SutraError) as caught:
        promote.verify_and_promote(client, options(VERSION="1.4.2", REGISTRY=secured))
    assert caught.value.message == (
        f'registry: cannot list the tags of "{secured}/{group.base}": 401 Unauthorized'
    )
    assert caught.value.tip == f"`docker login {secured}`, then run the same command again"
    assert_untouched(group)


def test_a_missing_helper(
    group: Group, secured: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "sutra-none"}))
    group.build("one")
    with connected() as client, pytest.raises(SutraError) as caught:
        promote.verify_and_promote(client, options(REGISTRY=secured))
    assert caught.value.message == (
        f'engine: login of "{secured}": Credentials store error: '
        "StoreError('docker-credential-sutra-none not installed or not available in PATH')"
    )
    assert caught.value.tip == "run `docker login`"
    assert_untouched(group)


def assert_untouched(group: Group) -> None:
    """Nothing was promoted: no tag but `:prod`, no line in the ledger, nothing under way."""
    assert set(group.tags()) == {f"{name}:prod" for name in group.names}
    assert ledger.read() == []
    assert journal.read() is None


# ---- failing registries ----------------------------------------------------


def test_an_unreachable_registry_moves_nothing(group: Group) -> None:
    address = f"127.0.0.1:{registries.free_port()}"
    group.build("one")
    with pytest.raises(SutraError) as caught:
        promote.verify_and_promote(group.client, options(VERSION="1.4.2", REGISTRY=address))
    assert caught.value.message == (
        f'registry: no answer from "{address}" ([Errno 111] Connection refused)'
    )
    assert caught.value.tip == (
        "check the name, the network and its certificate, then run the same command again"
    )
    assert_untouched(group)


@pytest.mark.parametrize("kind", ["plain", pytest.param("secured", marks=pytest.mark.long)])
def test_connections_cut_in_the_middle_leave_all_old_or_all_new(
    group: Group,
    helper: Path,
    kind: str,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    target: str = request.getfixturevalue(kind)
    chosen = random.Random(6)  # noqa: S311 # a test's choice
    figures: Counter[str] = Counter()
    with cutting(target) as proxy, connected() as client:
        address, behind = f"{proxy.address}/cut", f"{target}/cut"
        group.build("zero")
        promote.verify_and_promote(client, options(VERSION="1.0.0", REGISTRY=address))
        whole = proxy.used
        for number in range(1, CUTS + 1):
            group.build(f"content {number}")
            old = remote(group, behind), deployed(group)
            # the last tenth is where tags move: half of the cuts fall there
            start = 0 if number % 2 else whole * 3 // 4
            proxy.left = chosen.randint(start, whole)
            version = f"1.{number}.0" if number % 3 else ""
            try:
                promote.verify_and_promote(client, options(VERSION=version, REGISTRY=address))
                outcome = "went through"
            except SutraError:
                outcome = "failed, all old"
                assert deployed(group) == old[1]
                if journal.JOURNAL.exists():
                    outcome = "failed in its tags"
                else:
                    assert remote(group, behind) == old[0]
            proxy.left = None
            entries = len(ledger.read())
            with transaction.exclusive(client):
                pass
            if outcome == "failed in its tags":
                outcome += ", finished" if len(ledger.read()) > entries else ", taken back"
            figures[outcome] += 1
            assert journal.read() is None
            now = remote(group, behind), deployed(group)
            assert now[0] == digests_of(group)
            assert sorted(now[0]) == sorted(now[1])
            assert sum(figures.values()) == number
    with capfd.disabled():
        print(f"\n{CUTS} promotions cut in the middle, {kind}: {dict(figures)}")
    assert figures["failed, all old"]
    assert figures["failed in its tags, taken back"] + figures["failed in its tags, finished"]
