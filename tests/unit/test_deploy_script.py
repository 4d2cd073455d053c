"""Test what ./sutra-deploy.sh refuses before it calls the engine, and which calls it makes."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.fakes import program

ROOT = Path(__file__).parents[2]
# a client that records its calls, and knows one project with one volume
CLIENT = """case "$*" in
  *version) ;;
  *" config") echo 'name: mine' ;;
  *"config --images") echo sutra-api:latest; echo sutra-storage-server:latest ;;
  *"config --services") echo sutra-api; echo of-an-override ;;
  "ps --all --filter"*) [ ! -e others ] || cat others ;;
  *"ps --format"*) [ ! -e ports ] || cat ports ;;
  "volume ls"*) echo "$*" >>listed; echo mine_data ;;
  *) echo "$*" >>asked; env | sort | grep ^COMPOSE_ >environment ;;
esac
"""
COMPOSE = "compose --project-directory . --file docker-compose.yml --project-name mine"


@pytest.fixture
def checkout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "sutra-deploy.sh", folder)
    (folder / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/common.sh", folder / "scripts")
    monkeypatch.setenv("DOCKER", str(program(folder / "bin", "docker", CLIENT)))
    return folder


def deploy(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        ["./sutra-deploy.sh", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return done.returncode, done.stderr


def calls(checkout: Path) -> list[str]:
    return (checkout / "asked").read_text().splitlines()


def test_a_promotion_that_has_not_ended_is_not_deployed(checkout: Path) -> None:
    (checkout / ".build").mkdir()
    (checkout / ".build/promotion.json").write_text("{}")
    assert deploy("up") == (
        2,
        "sutra-deploy: up: .build/promotion.json: a promotion has not ended, nothing was touched\n"
        "tip: `make promote` or `make rollback` waits for it or settles it; "
        "then run `./sutra-deploy.sh up` again\n",
    )
    assert not (checkout / "asked").exists()


def test_every_published_service_is_named_with_its_address(checkout: Path) -> None:
    (checkout / "ports").write_text(
        "sutra-b 127.0.0.1:8002->8002/tcp\nsutra-store 50051/tcp\n"
        "sutra-a 0.0.0.0:8000->8000/tcp, [::]:8000->8000/tcp\n"
    )
    done = subprocess.run(["./sutra-deploy.sh", "up"], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "sutra-deploy: up: sutra-a http://0.0.0.0:8000, sutra-b http://127.0.0.1:8002\n"
    )


def test_without_one_it_is_deployed(checkout: Path) -> None:
    assert deploy("up")[0] == 0
    started = f"{COMPOSE} up --detach --remove-orphans --wait --wait-timeout 120"
    assert started in calls(checkout)


# ---- the token between the services ----------------------------------------


def test_the_first_up_has_the_key_made_by_the_image_that_will_read_it(checkout: Path) -> None:
    assert deploy("up")[0] == 0
    key_run, *_ = calls(checkout)
    assert key_run == (
        "run --rm --network none --read-only --user 0:0 --cap-drop ALL --cap-add CHOWN "
        f"--cap-add DAC_OVERRIDE --volume {checkout}/.secrets:/keys sutra-storage-server:latest "
        "storage_server_simple key /keys/mine-storage-key"
    )
    assert (checkout / ".secrets").stat().st_mode & 0o777 == 0o700


def test_a_key_that_is_there_stays(checkout: Path) -> None:
    (checkout / ".secrets").mkdir()
    (checkout / ".secrets/mine-storage-key").touch()
    assert deploy("up")[0] == 0
    assert not any(line.startswith("run ") for line in calls(checkout))


def test_git_ignores_the_key() -> None:
    path = ".secrets/sutra-storage-key"
    done = subprocess.run(["git", "check-ignore", path], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == f"{path}\n"


# ---- whose stack it is -----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COMPOSE_FILE", "other/compose.yml"),
        ("COMPOSE_PROJECT_NAME", "other"),
        ("COMPOSE_PROFILES", "other"),
        ("COMPOSE_ENV_FILES", "other/.env"),
        ("COMPOSE_PATH_SEPARATOR", "c"),
        ("COMPOSE_DISABLE_ENV_FILE", "1"),
        ("COMPOSE_IGNORE_ORPHANS", "1"),
        ("COMPOSE_ANYTHING", "other"),
    ],
)
def test_a_variable_of_compose_changes_nothing(
    checkout: Path, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert deploy("down")[0] == 0
    assert calls(checkout) == [f"{COMPOSE} down --remove-orphans"]
    # empty values win over those of .env
    assert (checkout / "environment").read_text().splitlines() == [
        "COMPOSE_DISABLE_ENV_FILE=0",
        "COMPOSE_ENV_FILES=",
        "COMPOSE_FILE=",
        "COMPOSE_IGNORE_ORPHANS=0",
        "COMPOSE_PATH_SEPARATOR=",
        "COMPOSE_PROFILES=",
        "COMPOSE_PROJECT_NAME=",
        "COMPOSE_REMOVE_ORPHANS=0",
    ]


@pytest.mark.parametrize("words", [("up",), ("down",), ("down", "--data", "--yes")])
def test_a_project_with_containers_of_another_stack_is_not_touched(
    checkout: Path, words: tuple[str, ...]
) -> None:
    (checkout / "others").write_text(
        "mine|sutra-api|mine-sutra-api-1\n|db|mine-db-1\n|of-an-override|mine-x-1\nyours|web|web\n"
    )
    code, shown = deploy(*words)
    assert code == 2
    assert shown.splitlines() == [
        f'sutra-deploy: {words[0]}: project "mine" has containers of another stack: mine-db-1 web',
        "tip: name another project by SUTRA_PROJECT; if they are yours, `docker rm` removes them; "
        "nothing was touched",
    ]
    assert not (checkout / "asked").exists()


def test_a_project_with_its_own_containers_goes_on(checkout: Path) -> None:
    (checkout / "others").write_text("mine|old|mine-old-1\n|of-an-override|mine-x-1\n")
    assert deploy("down") == (0, "")
    assert calls(checkout) == [f"{COMPOSE} down --remove-orphans"]


def test_overrides_are_named_in_their_order(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "docker-compose.override.yml").touch()
    monkeypatch.setenv("SUTRA_COMPOSE_OVERRIDE", "mine.yml")
    assert deploy("down")[0] == 0
    files = "--file docker-compose.yml --file docker-compose.override.yml --file mine.yml"
    assert calls(checkout) == [
        f"compose --project-directory . {files} --project-name mine down --remove-orphans"
    ]


def test_data_is_not_removed_without_an_answer(checkout: Path) -> None:
    assert deploy("down", "--data") == (
        2,
        "sutra-deploy: down --data deletes every concept in: mine_data\n"
        "sutra-deploy: down --data: confirmation needed, but stdin is not a terminal\n"
        "tip: add --yes\n",
    )
    assert not (checkout / "asked").exists()


@pytest.mark.parametrize("name", ["mine_dat", ""])
def test_data_is_not_removed_for_another_name_or_the_end_of_input(
    checkout: Path, name: str
) -> None:
    ours, terminal = pty.openpty()
    os.write(ours, f"{name}\n".encode() if name else b"\x04")
    done = subprocess.run(
        ["./sutra-deploy.sh", "down", "--data"], capture_output=True, text=True, stdin=terminal
    )
    os.close(ours)
    os.close(terminal)
    prompt = "type the volume's name to delete it: " + ("" if name else "\n")
    assert (done.returncode, done.stderr) == (
        2,
        "sutra-deploy: down --data deletes every concept in: mine_data\n"
        f'{prompt}sutra-deploy: down --data: not the name "{name}", nothing was touched\n'
        "tip: `./sutra-deploy.sh down` keeps the data\n",
    )
    assert not (checkout / "asked").exists()


def test_only_what_was_shown_is_removed(checkout: Path) -> None:
    (checkout / ".secrets").mkdir()
    keys = [checkout / ".secrets" / f"{name}-storage-key" for name in ("mine", "other")]
    for key in keys:
        key.touch()
    code, shown = deploy("down", "--data", "--yes")
    assert (code, shown) == (
        0,
        "sutra-deploy: down --data deletes every concept in: mine_data\n",
    )
    assert calls(checkout) == [f"{COMPOSE} down --remove-orphans", "volume rm mine_data"]
    labels = ("com.docker.compose.project", "org.sutra.project")
    assert (checkout / "listed").read_text() == (
        "volume ls --quiet " + " ".join(f"--filter label={label}=mine" for label in labels) + "\n"
    )
    assert [key.exists() for key in keys] == [False, True]


# ---- where nothing can be written ------------------------------------------


@pytest.mark.parametrize("words", [("--help",), ("status",), ("up",)])
def test_a_full_output_is_one_line(checkout: Path, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            ["./sutra-deploy.sh", *words], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (
        2,
        "sutra-deploy: standard output cannot be written\n"
        "tip: free space where it goes, or send it elsewhere\n",
    )


def test_a_closed_output_is_nobodys(checkout: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", "./sutra-deploy.sh up >&-"], stderr=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


# ---- an orchestrator in place of compose -----------------------------------

# stand-in for the environment: it records its arguments and the knobs that it gets
PYTHON = """echo "$* TARGET=$TARGET OVERLAY=$OVERLAY DRY_RUN=$DRY_RUN" >>python-asked
"""


@pytest.fixture
def environment(checkout: Path) -> Path:
    program(checkout / "scripts", "venv.sh", "")
    program(checkout / ".venv/bin", "python", PYTHON)
    return checkout


def test_a_target_is_deployed_by_python(environment: Path) -> None:
    words = ("up", "TARGET=kubernetes", "OVERLAY=one-node", "DRY_RUN=1")
    assert deploy(*words) == (0, "")
    assert (environment / "python-asked").read_text() == (
        "-m scripts deploy up TARGET=kubernetes OVERLAY=one-node DRY_RUN=1\n"
    )
    assert not (environment / "asked").exists()


def test_a_target_gets_the_other_words(environment: Path) -> None:
    assert deploy("TARGET=kubernetes", "down", "--data", "--yes") == (0, "")
    assert (environment / "python-asked").read_text() == (
        "-m scripts deploy down --data --yes TARGET=kubernetes OVERLAY= DRY_RUN=\n"
    )


def test_swarm_gets_what_compose_understands_through_a_pipe(environment: Path) -> None:
    with_pipe = PYTHON + 'cat /dev/fd/3 >piped; echo "$DOCKER" >client\n'
    program(environment / ".venv/bin", "python", with_pipe)
    assert deploy("up", "TARGET=swarm", "PUBLISH=host") == (0, "")
    assert (environment / "python-asked").read_text() == (
        "-m scripts deploy up --compose /dev/fd/3 TARGET=swarm OVERLAY= DRY_RUN=\n"
    )
    assert (environment / "client").read_text() == f"{environment}/bin/docker\n"
    assert calls(environment) == [f"{COMPOSE} config --format json"]


@pytest.mark.parametrize("verb", ["logs", "restart"])
def test_what_a_target_has_commands_of_its_own_for_is_refused(environment: Path, verb: str) -> None:
    assert deploy(verb, "TARGET=kubernetes") == (
        2,
        f"sutra-deploy: {verb}: not with TARGET=kubernetes\n"
        "tip: `up`, `down` and `status` are; docs/kubernetes.md has its own commands\n",
    )


def test_an_unknown_target_is_refused(checkout: Path) -> None:
    assert deploy("up", "TARGET=nomad") == (
        2,
        'sutra-deploy: TARGET: unknown "nomad"\ntip: one of compose, kubernetes, swarm\n',
    )
    assert not (checkout / "asked").exists()


def test_compose_has_no_dry_run(checkout: Path) -> None:
    assert deploy("up", "DRY_RUN=1") == (
        2,
        'sutra-deploy: DRY_RUN: not with compose "1"\ntip: leave it out, or name a TARGET\n',
    )
    assert not (checkout / "asked").exists()


@pytest.mark.parametrize("word", ["DRY_RUN=", "DRY_RUN=0", "DRY_RUN=no", "DRY_RUN=false"])
def test_no_dry_run_is_compose(checkout: Path, word: str) -> None:
    assert deploy("down", word)[0] == 0
    assert calls(checkout) == [f"{COMPOSE} down --remove-orphans"]


def test_compose_is_a_target_too(checkout: Path) -> None:
    assert deploy("down", "TARGET=compose")[0] == 0
    assert calls(checkout) == [f"{COMPOSE} down --remove-orphans"]


def test_a_log_without_its_key_is_refused_and_its_login_is_not_shown(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(checkout / "bin", "cosign", "")
    monkeypatch.setenv("PATH", f"{checkout}/bin:{os.environ['PATH']}")
    (checkout / "sutra.pub").touch()
    monkeypatch.setenv("VERIFY_KEY", "sutra.pub")
    monkeypatch.setenv("TRANSPARENCY_LOG", "https://me:hunter2@rekor.example")
    monkeypatch.delenv("SIGSTORE_REKOR_PUBLIC_KEY", raising=False)
    assert deploy("up") == (
        2,
        "sutra-deploy: TRANSPARENCY_LOG: needs SIGSTORE_REKOR_PUBLIC_KEY, a file with the log's "
        "public key\n"
        "tip: `curl $TRANSPARENCY_LOG/api/v1/log/publicKey` shows it; take it from someone you "
        "trust\n",
    )


@pytest.mark.parametrize("target", ["kubernetes", "swarm"])
def test_a_key_that_would_not_be_looked_at_is_refused(
    checkout: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(checkout / "scripts", "venv.sh", "")
    monkeypatch.setenv("VERIFY_KEY", "sutra.pub")
    assert deploy("up", f"TARGET={target}") == (
        2,
        f"sutra-deploy: VERIFY_KEY: not with TARGET={target}\n"
        "tip: verify by `cosign verify` or the cluster's own policy (docs/signing.md), "
        "then leave it out\n",
    )
