from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.errors import APIError, ImageNotFound
from requests.exceptions import ReadTimeout

from scripts.__main__ import main as front_door
from scripts.build import root_image
from scripts.common import locks
from scripts.common.errors import SutraError
from scripts.engine import builders
from tests.unit.build.roots import END, IMAGE, LAYER, START, plain, unfold
from tests.unit.fakes import FakeEngine, FakeImage, RegistryEngine, program, tar_of


def plan(**args: str) -> dict[str, Any]:
    return {"target": {"builder": {}, "api": {"args": {"VERSION": "1"}}, "base": {"args": args}}}


@pytest.mark.parametrize(
    ("base", "root"), [("debian", "debian:trixie-slim"), ("alpine", "alpine:3.23"), ("", "")]
)
def test_the_bases_are_built_on_the_root(base: str, root: str) -> None:
    planned = plan(BASE=base, DEBIAN_VERSION="trixie-slim", ALPINE_VERSION="3.23")
    assert root_image.root_image(planned) == root


@pytest.mark.parametrize("name", ["acme", "zz"])
def test_a_service_with_steps_for_a_distribution_may_come_before_the_bases(name: str) -> None:
    """Bake sorts its targets by name, and only those of the bases say which version."""
    targets = plan(BASE="debian", DEBIAN_VERSION="trixie-slim")["target"]
    targets[name] = {"args": {"BASE": "debian"}}
    planned = {"target": dict(sorted(targets.items()))}
    assert root_image.root_image(planned) == "debian:trixie-slim"


def test_a_plan_without_base_images_has_no_root() -> None:
    assert root_image.root_image(plan(BASE="debian")) == ""
    assert root_image.root_image(plan()) == ""
    assert root_image.root_image({"target": {}}) == ""


def test_an_unknown_base_is_refused() -> None:
    with pytest.raises(SutraError) as caught:
        root_image.root_image(
            plan(BASE="fedora", DEBIAN_VERSION="trixie-slim", ALPINE_VERSION="3.23")
        )
    assert caught.value.message == 'BASE: unknown "fedora"'
    assert caught.value.tip == "choose one of debian, alpine"


PULL = '[ "$1" = pull ] && echo "$3" >>"${0%/*}/pulled"; exit 0\n'


@pytest.fixture
def registry(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> RegistryEngine:
    registry_engine = RegistryEngine()
    monkeypatch.setattr("scripts.engine.client.connect", registry_engine.connect)
    monkeypatch.setattr("scripts.engine.client.has_containerd_store", lambda client: True)
    docker = program(tmp_path_factory.mktemp("client"), "docker", PULL)
    monkeypatch.setenv("DOCKER", str(docker))
    return registry_engine


PULLING = "roots: debian:trixie-slim: pulling it\n"


def pulled() -> list[str]:
    """Return the references that the client was asked to pull."""
    file = Path(os.environ["DOCKER"]).parent / "pulled"
    return file.read_text().splitlines() if file.exists() else []


def test_a_root_that_the_engine_holds_is_left_to_it(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path
) -> None:
    engine.add(FakeImage([]), IMAGE)
    assert root_image.context(engine, IMAGE, tmp_path) == ""
    assert (registry.references, pulled()) == ([], [])


def test_a_root_that_the_registry_serves_is_kept_by_the_engine(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An image that only BuildKit pulled is lost when the registry is gone."""
    assert root_image.context(engine, IMAGE, tmp_path) == ""
    assert pulled() == [IMAGE]
    assert os.listdir(tmp_path) == []
    assert capfd.readouterr() == ("", PULLING)


def test_a_refresh_pulls_what_the_engine_holds(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path
) -> None:
    engine.add(FakeImage([]), IMAGE)
    assert root_image.context(engine, IMAGE, tmp_path, fresh=True) == ""
    assert pulled() == [IMAGE]


def test_a_refresh_without_a_registry_leaves_what_the_engine_holds(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    engine.add(FakeImage([]), IMAGE)
    registry.answer = ReadTimeout()
    assert root_image.context(engine, IMAGE, tmp_path, fresh=True) == ""
    assert (pulled(), os.listdir(tmp_path)) == ([], [])
    refused = "roots: debian:trixie-slim: no registry serves it (no answer in 5 s)\n"
    assert capfd.readouterr() == ("", refused)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'error pulling image: EOF' >&2; exit 1", "error pulling image: EOF"),
        ("exit 1", "exit code 1"),
        ("exec sleep 9", "not pulled in 1 s"),
    ],
)
def test_a_registry_that_breaks_off_or_drips_is_given_up(
    engine: FakeEngine,
    registry: RegistryEngine,
    debootstrap: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    script: str,
    reason: str,
) -> None:
    client = Path(os.environ["DOCKER"])
    program(client.parent, "docker", f'[ "$1" = pull ] || exit 0\n{script}\n')
    monkeypatch.setattr(root_image, "PULL_SECONDS", 1)
    cache = debootstrap / "roots"
    wanted = f"oci-layout://{cache}/debian-trixie-slim:trixie-slim"
    assert root_image.context(engine, IMAGE, cache) == wanted
    refused = f"roots: debian:trixie-slim: no registry serves it ({reason})\n"
    assert capfd.readouterr() == ("", PULLING + refused + START + END)


def layout_of_before(folder: Path) -> Path:
    layout = folder / "roots" / "debian-trixie-slim"
    (layout / "blobs").mkdir(parents=True)
    (layout / "index.json").touch()
    return layout


def test_a_fresh_root_that_the_registry_serves_again_replaces_the_layout(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    layout = layout_of_before(tmp_path)
    (layout.parent / "alpine-3.23").mkdir()
    assert root_image.context(engine, IMAGE, layout.parent, fresh=True) == ""
    assert os.listdir(layout.parent) == ["alpine-3.23"]
    assert (registry.references, pulled()) == ([IMAGE], [IMAGE])
    assert capfd.readouterr() == ("", PULLING)


def test_a_layout_is_used_without_asking_the_registry(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path
) -> None:
    layout = layout_of_before(tmp_path)
    assert root_image.context(engine, IMAGE, layout.parent) == f"oci-layout://{layout}:trixie-slim"
    assert registry.references == []


def test_a_root_that_its_registry_refuses_is_not_bootstrapped(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    layout = layout_of_before(tmp_path)
    registry.answer = ImageNotFound("404", explanation="manifest unknown")
    registry.answer.response = requests.Response()
    registry.answer.response.status_code = 404
    with pytest.raises(SutraError) as caught:
        root_image.context(engine, IMAGE, layout.parent, fresh=True)
    assert caught.value.message == (
        'roots: its registry refuses "debian:trixie-slim": manifest unknown'
    )
    assert caught.value.tip == "check the name and the login"
    assert (layout / "index.json").exists()
    assert capfd.readouterr() == ("", "")


def test_without_a_registry_the_root_is_bootstrapped_once(
    engine: FakeEngine,
    registry: RegistryEngine,
    debootstrap: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    registry.answer = ReadTimeout()
    cache = debootstrap / "roots"
    wanted = f"oci-layout://{cache}/debian-trixie-slim:trixie-slim"
    assert root_image.context(engine, IMAGE, cache) == wanted
    refused = "roots: debian:trixie-slim: no registry serves it (no answer in 5 s)\n"
    assert capfd.readouterr() == ("", refused + START + END)
    assert root_image.context(engine, IMAGE, cache) == wanted
    assert capfd.readouterr() == ("", "")
    assert registry.references == [IMAGE]


def test_two_runs_at_once_bootstrap_the_root_once(
    engine: FakeEngine,
    registry: RegistryEngine,
    debootstrap: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry.answer = ReadTimeout()
    cache = debootstrap / "roots"
    is_waiting = debootstrap / "is-waiting"

    def tell(line: str, **to: Any) -> None:
        print(line, **to)
        is_waiting.touch()

    # not the first look at the lock: that may be before its holder has written who it is, and then
    # the line is printed at the second look; a quick bootstrap would have ended before it
    monkeypatch.setattr(locks, "print", tell, raising=False)
    slow = debootstrap / "bin" / "mmdebstrap"
    until = f'for _ in $(seq 3000); do [ -e "{is_waiting}" ] && break; sleep 0.01; done\n'
    slow.write_text(f"{slow.read_text()}{until}")
    with ThreadPoolExecutor(2) as runs:
        contexts = [runs.submit(root_image.context, engine, IMAGE, cache) for _ in range(2)]
    wanted = f"oci-layout://{cache}/debian-trixie-slim:trixie-slim"
    assert [context.result() for context in contexts] == [wanted, wanted]
    # two threads share the buffer of one stderr: the end of a line may come after another line
    shown = capfd.readouterr().err
    assert shown.count(START.strip()) == 1
    # a holder that is slow to write who it is has no number yet
    waiting = re.findall(r"waiting for process (\w+), which bootstraps a root", shown)
    assert waiting in ([str(os.getpid())], ["unknown"])


def test_a_lock_that_cannot_be_written_is_one_line(
    engine: FakeEngine, registry: RegistryEngine, debootstrap: Path
) -> None:
    registry.answer = ReadTimeout()
    lock = debootstrap / "roots.lock"
    lock.mkdir()
    with pytest.raises(SutraError) as caught:
        root_image.context(engine, IMAGE, debootstrap / "roots")
    assert caught.value.message == f'roots: cannot write "{lock}": Is a directory'
    assert caught.value.tip == f"`ls -ld {debootstrap}`"
    assert not (debootstrap / "words").exists()


def test_a_fresh_root_is_bootstrapped_again(
    engine: FakeEngine, registry: RegistryEngine, debootstrap: Path
) -> None:
    registry.answer = ReadTimeout()
    cache = debootstrap / "roots"
    root_image.context(engine, IMAGE, cache)
    newer = tar_of({"newer": b"1"})
    (debootstrap / "sample.tar").write_bytes(newer)
    root_image.context(engine, IMAGE, cache, fresh=True)
    assert unfold(cache / "debian-trixie-slim")[2] == plain(newer)
    assert registry.references == [IMAGE, IMAGE]


def test_a_layout_without_an_index_is_not_used(
    engine: FakeEngine, registry: RegistryEngine, debootstrap: Path
) -> None:
    registry.answer = ReadTimeout()
    layout = debootstrap / "roots" / "debian-trixie-slim"
    layout.mkdir(parents=True)
    root_image.context(engine, IMAGE, layout.parent)
    assert unfold(layout)[2] == LAYER


def test_a_relative_cache_gives_an_absolute_context(
    engine: FakeEngine, registry: RegistryEngine, debootstrap: Path, folder: Path
) -> None:
    registry.answer = ReadTimeout()
    assert root_image.context(engine, IMAGE) == (
        f"oci-layout://{folder}/.cache/roots/debian-trixie-slim:trixie-slim"
    )


def test_alpine_without_a_registry_is_refused(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    registry.answer = APIError("500", explanation="unreachable")
    with pytest.raises(SutraError) as caught:
        root_image.context(engine, "alpine:3.23", tmp_path)
    assert caught.value.message == (
        'roots: cannot bootstrap "alpine:3.23", and no registry serves it'
    )
    assert capfd.readouterr() == ("", "roots: alpine:3.23: no registry serves it (unreachable)\n")


def test_main_says_where_the_root_comes_from(
    engine: FakeEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    engine.add(FakeImage([]), IMAGE)
    # any machine has this client, also one without Docker
    docker = program(folder / "bin", "docker", "printf 'Name: default\\nDriver: docker\\n'\n")
    monkeypatch.setenv("DOCKER", str(docker))
    unanswered = RegistryEngine()
    unanswered.answer = ReadTimeout()
    monkeypatch.setattr(
        "scripts.engine.client.connect", lambda timeout=0: unanswered if timeout else engine
    )
    monkeypatch.setattr(
        "scripts.engine.buildx.bake_plan",
        lambda groups, knobs: plan(BASE="debian", DEBIAN_VERSION="trixie-slim"),
    )
    assert front_door(["roots"]) == 0
    refused = "roots: debian:trixie-slim: no registry serves it (no answer in 5 s)\n"
    left = "roots: debian:trixie-slim: left to the engine\n"
    assert capfd.readouterr() == ("", refused + left)


def test_another_builder_gets_no_image_of_the_engine(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot see the engine's images, and pulls from the registry itself."""
    engine.add(FakeImage([]), IMAGE)
    farm = builders.Builder("farm", "remote")
    monkeypatch.setattr("scripts.engine.registries.registry_refusal", lambda *_: "")
    monkeypatch.setattr("scripts.engine.registries.pull_refusal", lambda *_: 1 / 0)
    assert root_image.context(engine, IMAGE, tmp_path, builder=farm) == ""
    layout = tmp_path / "debian-trixie-slim"
    layout.mkdir()
    (layout / "index.json").touch()
    context = root_image.context(engine, IMAGE, tmp_path, builder=farm)
    assert context == f"oci-layout://{layout}:trixie-slim"
