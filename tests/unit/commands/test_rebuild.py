"""The order of a rebuild, with steps that only record that they ran."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.__main__ import main as front_door
from scripts.cleaning.resource import Resource
from scripts.cleaning.scope import Scope
from scripts.common.errors import SutraError
from tests.unit.fakes import program

ROOT = Path(__file__).resolve().parents[3]

CACHE = Resource("cache", "r1", "mount sutra-storage-target", 1)
PROD = Resource("image", "sha256:old", "sutra-api:prod", 1, "", ("sutra-api:prod",))
DEV = Resource("image", "sha256:dev", "sutra-api:dev", 1, "", ("sutra-api:dev",))
USED = Resource("image", "sha256:used", "sutra-api:dev2", 1, "", ("sutra-api:dev2",))
LATEST = Resource("image", "sha256:latest", "sutra-api:latest", 1, "", ("sutra-api:latest",))
DATA = Resource("volume", "sutra_data", "sutra_data", 1)
STACK = Resource("container", "c1", "sutra-sutra-api-1", 1)
UNTAGGED = Resource("image", "sha256:old", "untagged sutra-api", 1)
NEW = Resource("image", "sha256:dev", "sutra-api:prod", 1, "", ("sutra-api:prod",))

Steps = list[object]
Start = Callable[..., tuple[int, Steps]]


@pytest.fixture
def start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Run a rebuild: the engine before and after, and how build and deployment end."""

    def run(
        *words: str,
        before: Sequence[Resource] = (STACK, CACHE, DEV, PROD),
        after: Sequence[Resource] = (STACK, DEV, UNTAGGED),
        built: int | SutraError = 0,
        deployed: int = 0,
        revision: str = "c" * 40,
    ) -> tuple[int, Steps]:
        steps: Steps = []
        states = [list(before), list(after)]
        client = SimpleNamespace(
            api=SimpleNamespace(containers=lambda all: [{"ImageID": "sha256:used"}])
        )

        locked = False

        @contextmanager
        def exclusive(_: object) -> Iterator[None]:
            nonlocal locked
            assert not locked  # it would wait for itself
            locked = True
            yield
            locked = False

        def remove(_: object, things: Sequence[Resource]) -> None:
            assert locked
            steps.append([thing.id for thing in things])

        def make(_: object, no_cache: bool) -> int:
            assert not locked  # it takes the lock itself
            steps.append(("make", no_cache))
            if isinstance(built, SutraError):
                raise built
            return built

        def called(command: list[str], check: bool) -> SimpleNamespace:
            steps.append(" ".join(command))
            return SimpleNamespace(returncode=deployed)

        monkeypatch.setattr("scripts.engine.client.connect", lambda: client)
        monkeypatch.setattr("scripts.common.git.labels", lambda **_: {"REVISION": revision})
        monkeypatch.setattr(
            "scripts.cleaning.scope.read",
            lambda *_: Scope("sutra", frozenset({"sutra-api:prod"})),
        )
        monkeypatch.setattr("scripts.cleaning.resources.of_project", lambda *_: states.pop(0))
        monkeypatch.setattr("scripts.commands.prod.make", make)
        monkeypatch.setattr("subprocess.run", called)
        monkeypatch.setattr("scripts.cleaning.clean.remove", remove)
        monkeypatch.setattr("scripts.promotion.transaction.exclusive", exclusive)
        run.steps = steps  # type: ignore[attr-defined] # kept on the function
        return front_door(["rebuild", *words]), steps

    return run


def test_images_go_after_the_new_ones_were_deployed(start: Start) -> None:
    code, steps = start("--yes")
    assert code == 0
    assert steps == [
        ["r1"],
        ("make", True),
        "./sutra-deploy.sh up",
        ["sha256:dev", "sha256:old"],
    ]


def test_a_failed_check_removes_and_deploys_nothing(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    code, steps = start("--yes", "--data", "--all", before=(CACHE, PROD, DATA), built=1)
    assert code == 1
    assert steps == [["r1"], ("make", True)]
    assert capsys.readouterr().err == "clean-and-rebuild: stopped, nothing more was removed\n"


def test_a_failed_build_removes_and_deploys_nothing(start: Start) -> None:
    with pytest.raises(SutraError, match=r"^build: step failed$"):
        start("--yes", "--data", built=SutraError("build: step failed"))
    assert start.steps == [["r1"], ("make", True)]  # type: ignore[attr-defined] # kept on the function


def test_a_stack_that_is_not_healthy_removes_nothing(start: Start) -> None:
    code, steps = start("--yes", deployed=1)
    assert code == 1
    assert steps == [["r1"], ("make", True), "./sutra-deploy.sh up"]


def test_data_goes_after_the_build_and_before_the_deployment(start: Start) -> None:
    code, steps = start("--yes", "--data", before=(DATA,), after=())
    assert code == 0
    assert steps == [
        [],
        ("make", True),
        "./sutra-deploy.sh down --data --yes",
        "./sutra-deploy.sh up",
        [],
    ]


def test_space_first_leaves_latest_and_what_a_container_uses(start: Start) -> None:
    code, steps = start(
        "--yes",
        "--all",
        "--free-space-first",
        before=(CACHE, DEV, PROD, USED, LATEST),
        after=(USED, LATEST),
    )
    assert code == 0
    assert steps[0] == ["r1", "sha256:dev", "sha256:old"]
    assert steps[-1] == ["sha256:latest"]  # a container runs sha256:used


def test_what_was_built_again_as_the_same_image_stays(start: Start) -> None:
    code, steps = start("--yes", after=(NEW, UNTAGGED))
    assert code == 0
    assert steps[-1] == ["sha256:old"]


def test_a_dry_run_does_nothing(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    code, steps = start("--dry-run", "--data", "--free-space-first")
    assert (code, steps) == (0, [])
    assert capsys.readouterr().out == (
        "remove  cache          0.0 MB  mount sutra-storage-target\n"
        "remove  image          0.0 MB  sutra-api:dev\n"
        "remove  image          0.0 MB  sutra-api:prod\n"
    )


def test_a_dry_run_by_knob_does_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRY_RUN", "1")
    assert start("--yes", "--all") == (0, [])


@pytest.mark.parametrize(
    ("revision", "message", "tip"),
    [
        (
            "c" * 40 + "-dirty",
            "clean-and-rebuild: no clean commit is checked out, nothing would be promoted",
            "commit first, or ALLOW_DIRTY=1 promotes it as it is",
        ),
        (
            "",
            "git: no commit can be read: bad object HEAD",
            "`git fsck` says what is damaged",
        ),
    ],
)
@pytest.mark.parametrize("words", [["--yes", "--free-space-first"], ["--dry-run"]])
def test_what_would_not_be_promoted_is_not_begun(
    start: Start,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    revision: str,
    message: str,
    tip: str,
    words: list[str],
) -> None:
    problem = None if revision else SutraError(message, tip)
    monkeypatch.setattr("scripts.common.git.unreadable_commit", lambda: problem)
    with pytest.raises(SutraError) as caught:
        start(*words, revision=revision)
    assert caught.value.message == message
    assert caught.value.tip == f"{tip}; nothing was touched"
    assert start.steps == []  # type: ignore[attr-defined] # kept on the function
    assert capsys.readouterr().out == ""


def test_allow_dirty_begins_all_the_same(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOW_DIRTY", "1")
    code, steps = start("--yes", revision="c" * 40 + "-dirty")
    assert (code, steps[1]) == (0, ("make", True))


def test_nobody_to_ask_does_nothing(start: Start) -> None:
    with pytest.raises(
        SutraError, match=r"^clean: confirmation needed, but stdin is not a terminal$"
    ):
        start("--free-space-first")
    assert start.steps == []  # type: ignore[attr-defined] # kept on the function


# ---- the script, with all that it calls replaced by what writes down that it ran ----


def script(folder: Path, *words: str) -> tuple[int, str, list[str]]:
    """Return exit code, stderr and the commands that were run."""
    shutil.copy(ROOT / "clean-and-rebuild.sh", folder)
    for name in ("scripts/engine.sh", "scripts/venv.sh", ".venv/bin/python"):
        file = folder / name
        program(file.parent, file.name, f'echo {name} "$@" >>ran\n')
    done = subprocess.run(
        ["./clean-and-rebuild.sh", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    ran = folder / "ran"
    return done.returncode, done.stderr, ran.read_text().splitlines() if ran.exists() else []


@pytest.mark.parametrize("value", ["", "0", "no", "False"])
def test_without_a_terminal_the_script_wants_yes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("DRY_RUN", value)
    assert script(folder, "--all") == (
        2,
        "clean-and-rebuild: confirmation needed, but stdin is not a terminal\n"
        "tip: add --yes; nothing was touched\n",
        [],
    )


@pytest.mark.parametrize("value", ["1", "yes", "TRUE"])
def test_the_knob_of_a_dry_run_asks_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("DRY_RUN", value)
    code, said, ran = script(folder, "--all")
    assert (code, said, ran[-1]) == (0, "", ".venv/bin/python -m scripts rebuild --all")


@pytest.mark.parametrize("words", [["--dry-run"], ["--yes", "--dry-run"]])
def test_a_dry_run_only_looks_for_an_engine(folder: Path, words: list[str]) -> None:
    code, said, ran = script(folder, *words)
    assert (code, said) == (0, "")
    python = ".venv/bin/python -m scripts rebuild " + " ".join(words)
    assert ran == ["scripts/engine.sh check", "scripts/venv.sh", python]


def test_a_rebuild_has_an_engine_and_compose_installed(folder: Path) -> None:
    assert script(folder, "--yes")[2] == [
        "scripts/engine.sh",
        "scripts/engine.sh compose",
        "scripts/venv.sh",
        ".venv/bin/python -m scripts rebuild --yes",
    ]
