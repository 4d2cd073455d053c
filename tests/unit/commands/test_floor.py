"""Test what `make floor` prints, and what it refuses before it calls an engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.catalog.catalog import load
from scripts.checks.runtime.requests_file import Answer, Request
from scripts.commands import floor
from scripts.common.errors import SutraError
from scripts.floor import shares
from scripts.floor.proof import Proof
from scripts.floor.proposals import Proposal, Proposals
from scripts.floor.service_trace import Traced
from tests.unit.floor.images import image

NAMES = (
    "names: sutra-base-python, sutra-base-rust-runtime, sutra-api, sutra-hybrid, "
    "sutra-storage-server"
)
INSIDE = image({"app/a.py": 2_000_000, "etc/b": 1_500_000})
FLOOR = shares.of(INSIDE, ["/app/a.py"])
TRACED = Traced(frozenset(["app/a.py"]), (Answer(Request("GET", "/stats"), 200),))
WHY = "TODO: why is it never needed? unopened by start, health check, 1 request and stop"
NEXT = (
    "add those that you know a reason for to packages/sutra-api/cleanup.yaml; "
    "`make build` imports every module that stays and names the rule that broke one; then "
    "`make test-package PACKAGE=sutra-api` and `make verify-runtime`"
)


@pytest.mark.parametrize(
    ("words", "message", "tip"),
    [
        (["nope"], 'images.yaml: images: no such image "nope"', NAMES),
        (
            ["sutra-ap"],
            'images.yaml: images: no such image "sutra-ap", did you mean "sutra-api"?',
            NAMES,
        ),
        (
            ["sutra-api", "--requests=gone"],
            "gone: cannot be read: No such file or directory",
            "check REQUESTS=…, or runtime.requests in images.yaml",
        ),
    ],
)
def test_a_wrong_call_is_one_line(
    words: list[str], message: str, tip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    with pytest.raises(SutraError) as caught:
        front_door(["floor", *words])
    assert (caught.value.message, caught.value.tip) == (message, tip)


def test_a_format_that_it_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORMAT", "junit")
    with pytest.raises(SutraError) as caught:
        front_door(["floor", "sutra-api"])
    assert caught.value.message == 'FORMAT: unknown "junit"'


def test_the_table_the_answers_and_the_proposals(capsys: pytest.CaptureFixture[str]) -> None:
    rules = [
        Proposal("one/a/", "one", 2, 30_000),
        Proposal("one/b.py", "one", 1, 25_000),
        Proposal("one/c.py", "one", 1, 20_000),
    ]
    proof = Proof(frozenset(["one/a/"]), {"one/b.py": 'broke "one.d"'}, "no time")
    proposals = Proposals(rules, 123, {"two": 3_000_000})
    floor.show("sutra-api", floor.Report("sutra-api:prod", FLOOR, TRACED, proposals, proof))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "sutra-api:prod: opened from start to stop"
    rows = [line.strip("│ ").split("│") for line in lines if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["other", "1", "0", "1.5 MB", "0.0 MB", "1.5 MB"],
        ["sutra-api 1.2", "1", "1", "2.0 MB", "2.0 MB", "0.0 MB"],
        ["all", "2", "1", "3.5 MB", "2.0 MB", "1.5 MB"],
    ]
    assert lines[lines.index("GET /stats: 200") + 1 :] == [
        "rules:",
        "  unopened-one:",
        f'    why: "{WHY}"',
        "    remove:",
        '      - "one/a/"  # 30,000 bytes, 2 files, proven',
        '      - "one/c.py"  # 20,000 bytes, 1 file, not tried',
        '# not proposed: "one/b.py", 25,000 bytes: broke "one.d"',
        "# no module of two was opened, 3.0 MB: does the lock need it? no rule may empty a package",
        "# too small to propose: 123 bytes",
        "# not tried: no time",
        f"# {NEXT}",
    ]


def lines_of(rules: list[Proposal], traced: Traced = TRACED) -> list[str]:
    seen = floor.Report("sutra-api:prod", FLOOR, traced, Proposals(rules, 0, {}))
    return floor.proposal_lines("sutra-api", seen)


def test_more_proposals_than_a_person_reads_are_counted() -> None:
    rules = [Proposal(f"one/{n}.py", "one", 1, 50_000) for n in range(floor.MOST + 2)]
    lines = lines_of(rules, Traced(frozenset()))
    assert sum(line.startswith("      - ") for line in lines) == floor.MOST
    assert "# 2 more proposals of 0.1 MB: FORMAT=json" in lines
    assert "health check, no request and stop" in lines[2]
    whole = lines_of(rules[: floor.MOST])
    assert not any("more proposals" in line for line in whole)


def test_an_image_that_no_manifest_cleans_has_no_proposals(
    capsys: pytest.CaptureFixture[str],
) -> None:
    floor.show("sutra-storage-server", floor.Report("x:prod", FLOOR, Traced(frozenset()), None))
    assert capsys.readouterr().out.splitlines()[-1] == "no cleanup manifest: no rule to propose"
    assert lines_of([]) == ["# too small to propose: 0 bytes"]


def test_the_manifest_of_an_image_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = load().find("sutra-storage-server")
    assert floor.propose(storage, INSIDE, FLOOR) is None
    api = load().find("sutra-api")
    assert floor.propose(api, INSIDE, FLOOR) == Proposals([], 0, {})
    broken = tmp_path / "packages/sutra-api/cleanup.yaml"
    broken.parent.mkdir(parents=True)
    broken.write_text("rules: {a: {why: x}}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SutraError) as caught:
        floor.propose(api, INSIDE, FLOOR)
    assert caught.value.message == "cleanup.yaml: rules.a.remove: missing"


def test_json_has_everything_in_bytes() -> None:
    proposals = Proposals([Proposal("one/a/", "one", 2, 20_000)], 123, {"two": 3_000_000})
    proof = Proof(broken={"one/a/": "broke x"}, why="no time")
    seen = floor.Report("a:prod", FLOOR, TRACED, proposals, proof)
    shown = json.loads(floor.as_json("sutra-api", seen))
    assert shown == {
        "image": "a:prod",
        "bytes": 3_500_000,
        "opened": 2_000_000,
        "owners": [
            {
                "kind": "other",
                "name": "other",
                "version": "",
                "files": 1,
                "opened_files": 0,
                "bytes": 1_500_000,
                "opened": 0,
            },
            {
                "kind": "ours",
                "name": "sutra-api",
                "version": "1.2",
                "files": 1,
                "opened_files": 1,
                "bytes": 2_000_000,
                "opened": 2_000_000,
            },
        ],
        "unopened": {"etc/b": 1_500_000},
        "answers": [{"request": "GET /stats", "status": 200}],
        "proposals": [
            {
                "glob": "one/a/",
                "owner": "one",
                "files": 2,
                "bytes": 20_000,
                "why": WHY,
                "tried": "broken",
                "broke": "broke x",
            }
        ],
        "smaller": 123,
        "unused": {"two": 3_000_000},
        "not_tried_because": "no time",
        "next_steps": NEXT,
    }
    nothing = json.loads(floor.as_json("a", floor.Report("a:prod", FLOOR, TRACED, None)))
    assert (nothing["proposals"], nothing["smaller"], nothing["unused"]) == ([], None, None)
