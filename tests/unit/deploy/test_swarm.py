"""Test the calls of `up`, `down` and `status` to a swarm, their order, and what they refuse."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import SutraError
from scripts.deploy import stack_file, swarm
from scripts.deploy.swarm import Call
from scripts.engine.swarm import require_manager
from tests.unit.deploy.fake_swarm import FakeSwarm
from tests.unit.deploy.test_stack_file import CONFIG, IMAGE
from tests.unit.fakes import program

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"
ASKED = """echo "$*" >>"$ASKED"
[ ! -e "$ASKED-$2-error" ] || { cat "$ASKED-$2-error" >&2; exit 1; }
"""
LABELS = {"org.sutra.data": "mine"}


@pytest.fixture
def calls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the calls of `docker`."""
    monkeypatch.setenv("DOCKER", str(program(folder / "bin", "docker", ASKED)))
    monkeypatch.setenv("ASKED", str(folder / "asked"))
    monkeypatch.setattr(swarm, "TICK_SECONDS", 0.0)
    monkeypatch.setattr(swarm, "WAIT_SECONDS", 1.0)
    return folder / "asked"


@pytest.fixture
def fake_swarm(calls: Path) -> FakeSwarm:
    """A swarm of one node that has the images, and runs deployed services at once."""
    fake = FakeSwarm()
    fake.local = dict.fromkeys(("api:latest", "store:latest"), IMAGE)
    fake.serve("mine_api", ("running", "new"))
    return fake


def call(key: str | None = KEY, **more: Any) -> Call:
    config = copy.deepcopy(CONFIG)
    config["services"]["api"]["environment"]["SUTRA_API_KEY"] = key
    return Call(config, **more)


def up(engine: FakeSwarm, wanted: Call) -> int:
    client: Any = engine
    return swarm.up(client, wanted)


def refused(engine: FakeSwarm, wanted: Call) -> tuple[str, str]:
    with pytest.raises(SutraError) as caught:
        up(engine, wanted)
    return caught.value.message, caught.value.tip


def lines(calls: Path) -> list[str]:
    return calls.read_text().splitlines() if calls.exists() else []


def test_up_checks_makes_what_is_referred_to_and_deploys(
    fake_swarm: FakeSwarm, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert up(fake_swarm, call()) == 0
    assert lines(calls) == [
        "stack config --compose-file .build/swarm/stack.yml",
        "stack deploy --compose-file .build/swarm/stack.yml --prune --resolve-image=never "
        "--with-registry-auth --detach=true mine",
    ]
    assert fake_swarm.machines == {"one": LABELS}
    storage, api = sorted(fake_swarm.kept, reverse=True)
    assert storage == "mine-storage-key"
    assert len(bytes.fromhex(fake_swarm.kept[storage][0].decode())) == 32
    assert fake_swarm.kept[api][0] == KEY.encode()
    shown = capsys.readouterr()
    assert shown.out == ("sutra-deploy: up: stack mine runs; `docker stack ps mine` shows where\n")
    assert [line.split(":")[1] for line in shown.err.splitlines()] == [
        " depends_on",
        " healthcheck",
        " ports",
        " memswap_limit",
        " security_opt",
    ]


def test_the_key_is_in_no_file_and_on_no_command_line(fake_swarm: FakeSwarm, calls: Path) -> None:
    assert up(fake_swarm, call()) == 0
    assert KEY not in stack_file.FILE.read_text() + calls.read_text()
    assert all(KEY not in str(labels) for _, labels in fake_swarm.kept.values())


def test_the_same_key_is_the_same_secret_and_another_one_replaces_it(fake_swarm: FakeSwarm) -> None:
    assert up(fake_swarm, call()) == 0
    first = {name: content for name, (content, _) in fake_swarm.kept.items()}
    assert up(fake_swarm, call()) == 0
    assert {name: content for name, (content, _) in fake_swarm.kept.items()} == first
    assert up(fake_swarm, call(OTHER)) == 0
    assert sorted(content for content, _ in fake_swarm.kept.values()) == sorted(
        [first["mine-storage-key"], OTHER.encode()]
    )


def test_a_dry_run_changes_nothing(
    fake_swarm: FakeSwarm, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert up(fake_swarm, call(dry_run=True)) == 0
    assert lines(calls) == []
    assert (fake_swarm.kept, fake_swarm.machines) == ({}, {"one": {}})
    assert not stack_file.FILE.exists()
    assert "version: '3.13'\n" in capsys.readouterr().out


# ---- where the data are ------------------------------------------------------

TWO: tuple[tuple[str, dict[str, str]], ...] = (("one", {}), ("two", {}))


@pytest.mark.parametrize(
    ("nodes", "message", "tip"),
    [
        (
            TWO,
            "swarm: no node has the label org.sutra.data=mine: the storage's volume would come up "
            "empty wherever it starts",
            "choose its node: `docker node update --label-add org.sutra.data=mine NAME`",
        ),
        (
            (("one", {"org.sutra.data": "other"}), ("two", {})),
            "swarm: no node has the label org.sutra.data=mine: the storage's volume would come up "
            "empty wherever it starts",
            "choose its node: `docker node update --label-add org.sutra.data=mine NAME`",
        ),
        (
            (("two", LABELS), ("one", LABELS), ("three", {})),
            "swarm: 2 nodes have the label org.sutra.data=mine: one, two",
            "take it from those without the data: `docker node update --label-rm org.sutra.data "
            "NAME`",
        ),
    ],
)
def test_a_volume_that_is_pinned_to_no_node_or_to_two_is_refused(
    calls: Path, nodes: Any, message: str, tip: str
) -> None:
    engine = FakeSwarm(*nodes)
    assert refused(engine, call()) == (message, tip)
    assert (lines(calls), engine.kept) == ([], {})


# ---- images -----------------------------------------------------------------


def test_several_nodes_need_a_registry(calls: Path) -> None:
    engine = FakeSwarm(("one", LABELS), ("two", {}))
    assert refused(engine, call()) == (
        'api: image without a registry "api:latest", and 2 nodes would need it',
        "`make promote REGISTRY=host/path`, then `./sutra-deploy.sh up TARGET=swarm` with the same "
        "REGISTRY",
    )


def test_a_missing_image_is_refused(fake_swarm: FakeSwarm) -> None:
    fake_swarm.local.clear()
    assert refused(fake_swarm, call()) == (
        'api: image is not there "api:latest"',
        "run `make prod`, or set SUTRA_TAG to a version that is",
    )


# ---- bad input ---------------------------------------------------------------


@pytest.mark.parametrize("state", ["inactive", "pending", "locked"])
def test_an_engine_in_no_swarm_is_refused(fake_swarm: FakeSwarm, state: str) -> None:
    fake_swarm.state = state
    assert refused(fake_swarm, call()) == (
        f'engine: in no swarm "{state}"',
        "`docker swarm init --advertise-addr ADDRESS` makes one, of this engine alone at first",
    )


def test_a_worker_is_refused(fake_swarm: FakeSwarm) -> None:
    fake_swarm.manager = False
    client: Any = fake_swarm
    with pytest.raises(SutraError) as caught:
        require_manager(client)
    assert caught.value.message == "engine: a worker of its swarm, not a manager"


def test_anothers_stack_is_refused(fake_swarm: FakeSwarm, calls: Path) -> None:
    fake_swarm.serve("mine_web", project="")
    message = 'swarm: stack "mine" has another\'s service "mine_web", nothing was touched'
    assert refused(fake_swarm, call())[0] == message
    client: Any = fake_swarm
    with pytest.raises(SutraError) as caught:
        swarm.down(client, call(), data=False)
    assert caught.value.message == message
    assert lines(calls) == []


def test_loopback_without_a_key_is_refused(fake_swarm: FakeSwarm, calls: Path) -> None:
    assert refused(fake_swarm, call(None)) == (
        "SUTRA_API_KEY: not set, and Swarm publishes on every address of every node",
        "set it to what `openssl rand -hex 32` prints; SUTRA_BIND=0.0.0.0 says that whoever "
        "reaches a node may read and write",
    )
    assert lines(calls) == []


def test_who_says_that_it_is_open_deploys_without_a_key(fake_swarm: FakeSwarm) -> None:
    wanted = call(None)
    wanted.config["services"]["api"]["ports"][0]["host_ip"] = "0.0.0.0"  # noqa: S104 - what is tested
    assert up(fake_swarm, wanted) == 0
    assert list(fake_swarm.kept) == ["mine-storage-key"]


@pytest.mark.parametrize("key", ["short", "a" * 15, "a" * 513])
def test_a_key_that_the_services_would_refuse_is_refused(fake_swarm: FakeSwarm, key: str) -> None:
    assert refused(fake_swarm, call(key)) == (
        "SUTRA_API_KEY: not 16 to 512 letters, digits or -._~+/ "
        f"({len(key)} characters, not shown)",
        "set it to what `openssl rand -hex 32` prints",
    )


def test_a_stack_file_that_was_edited_by_hand_is_refused(
    fake_swarm: FakeSwarm, calls: Path
) -> None:
    assert up(fake_swarm, call()) == 0
    before = lines(calls)
    with stack_file.FILE.open("a") as file:
        file.write("# mine\n")
    assert (
        refused(fake_swarm, call())[0]
        == ".build/swarm/stack.yml: edited by hand, nothing was deployed"
    )
    assert lines(calls) == before


@pytest.mark.parametrize("verb", ["config", "deploy"])
def test_what_docker_refuses_is_one_line(fake_swarm: FakeSwarm, calls: Path, verb: str) -> None:
    Path(f"{calls}-{verb}-error").write_text("services.api\nAdditional property x is not allowed\n")
    assert refused(fake_swarm, call()) == (
        f"engine: docker stack {verb}: Additional property x is not allowed",
        "`docker info` says more",
    )
    assert bool(fake_swarm.kept) == (verb == "deploy")


# ---- how it ends -------------------------------------------------------------


def test_a_stack_without_a_service_is_not_up(
    calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = FakeSwarm()
    empty.local = dict.fromkeys(("api:latest", "store:latest"), IMAGE)
    assert up(empty, call()) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines()[-2:] == [
        "sutra-deploy: up: stack mine has no service",
        "tip: `docker stack ps --no-trunc mine` says more; fix it, then run it again",
    ]


def test_an_update_that_went_back_fails_with_the_reason(
    fake_swarm: FakeSwarm, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_swarm.serve(
        "mine_api",
        ("running", "new"),
        ("failed", "task: non-zero exit (2)"),
        update="rollback_completed",
    )
    assert up(fake_swarm, call()) == 1
    assert capsys.readouterr().err.splitlines()[-3:] == [
        "mine_api: task: non-zero exit (2)",
        "sutra-deploy: up: mine_api went back to what it was",
        "tip: `docker stack ps --no-trunc mine` says more; fix it, then run it again",
    ]


@pytest.mark.parametrize(
    "reason",
    [
        "no suitable node (scheduling constraints not satisfied on 3 nodes)",
        "no suitable node (unsupported platform on 3 nodes)",
        "no such image: r.example/t/store:1",
    ],
)
def test_what_does_not_come_up_in_time_fails_with_the_reason(
    fake_swarm: FakeSwarm, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    fake_swarm.serve("mine_store", ("pending", reason), replicas=2)
    assert up(fake_swarm, call()) == 1
    assert capsys.readouterr().err.splitlines()[-3:-1] == [
        f"mine_store: {reason}",
        "sutra-deploy: up: mine_store runs 0 of 2",
    ]


@pytest.mark.parametrize(
    ("tasks", "update", "code", "line"),
    [
        ([("running", "new")], "", 0, "mine_api: 1 of 1\n"),
        ([("running", "new")], "completed", 0, "mine_api: 1 of 1 (completed)\n"),
        ([("running", "new")], "updating", 1, "mine_api: 1 of 1 (updating)\n"),
        ([("running", "old")], "", 1, "mine_api: 0 of 1\n"),
        ([("failed", "x")], "", 1, "mine_api: 0 of 1\n"),
    ],
)
def test_status_counts_what_runs_of_the_newest(
    fake_swarm: FakeSwarm,
    capsys: pytest.CaptureFixture[str],
    tasks: list[tuple[str, str]],
    update: str,
    code: int,
    line: str,
) -> None:
    fake_swarm.serve("mine_api", *tasks, update=update)
    client: Any = fake_swarm
    assert swarm.status(client, "mine") == code
    shown = capsys.readouterr()
    assert shown.out == line
    assert ("not ready: mine_api" in shown.err) == bool(code)


def test_status_fails_where_nothing_is_deployed(
    calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client: Any = FakeSwarm()
    assert swarm.status(client, "mine") == 1
    assert "sutra-deploy: status: not ready: nothing is deployed\n" in capsys.readouterr().err


def test_down_removes_the_stack_and_keeps_keys_and_data(fake_swarm: FakeSwarm, calls: Path) -> None:
    fake_swarm.kept["mine-storage-key"] = (b"", {"org.sutra.project": "mine"})
    client: Any = fake_swarm
    assert swarm.down(client, call(), data=False) == 0
    assert lines(calls) == ["stack rm --detach=false mine"]
    assert list(fake_swarm.kept) == ["mine-storage-key"]


def test_down_succeeds_where_nothing_is_deployed(calls: Path) -> None:
    client: Any = FakeSwarm()
    assert swarm.down(client, call(), data=False) == 0
    assert lines(calls) == []


def test_a_dry_run_of_down_removes_nothing(
    fake_swarm: FakeSwarm, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client: Any = fake_swarm
    assert swarm.down(client, call(dry_run=True), data=False) == 0
    assert capsys.readouterr().out == "mine_api would be removed\n"
    assert lines(calls) == []


def test_data_are_their_own_nodes_to_remove(fake_swarm: FakeSwarm, calls: Path) -> None:
    client: Any = fake_swarm
    with pytest.raises(SutraError) as caught:
        swarm.down(client, call(), data=True)
    assert (caught.value.message, caught.value.tip) == (
        "down --data: not with TARGET=swarm, the volume is another node's to remove",
        "after `down`, on that node: `docker volume rm mine_data`",
    )
    assert lines(calls) == []
