"""The packages' tests as checks, with a `docker` that answers like buildx."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.checks import package_tests
from scripts.common import platforms
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.engine import builders
from scripts.engine.builder_nodes import Node
from scripts.engine.builders import Builder
from tests.support.results import flat
from tests.unit.fakes import program

API, HYBRID = Image("api", Budget(1, 1, ready=1)), Image("hybrid", Budget(1, 1, ready=1))
BASE = Image("base", Budget(1, 1))
PROMISES = Catalog(Path("images.yaml"), (BASE, API, HYBRID), Budget(1, 1))
TODO = package_tests.Plan({"api": "api-test", "hybrid": "hybrid-test"}, {"CA_BUNDLE": "/ca"})
PLAN = '{"group": {}, "target": {"api-test": {}, "hybrid-test": {}, "other-test": {}}}'
FAILURE = """\
#7 [api-test test 2/2] RUN pytest
#7 0.50 a line of no interest
------
 > [api-test test 2/2] RUN pytest:
0.50 E   assert 500 == 200
0.51 FAILED tests/test_api.py::test_answers
0.52 1 failed
------
ERROR: failed to solve: process "pytest" did not complete successfully: exit code: 1
"""


@pytest.fixture
def buildx(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client whose builds run `script`; its arguments are kept in `words`."""
    client = program(
        folder,
        "docker",
        'if [ "$2" = version ]; then exit 0; fi\n'
        f'echo "$@" >> {folder}/words\n'
        f"env > {folder}/environment\n"
        f". {folder}/script\n",
    )
    monkeypatch.setenv("DOCKER", str(client))
    (folder / "docker-bake.hcl").write_text('group "test" { targets = ["api-test"] }\n')
    return folder


def results(todo: package_tests.Plan = TODO) -> list[CheckResult]:
    with package_tests.running(todo) as run:
        return flat(run.results())


def passed(image: str) -> CheckResult:
    return CheckResult(image, "tests", True, 0, 0, "", "findings")


def test_tests_that_pass_are_one_build(buildx: Path) -> None:
    (buildx / "script").write_text("exit 0\n")
    assert results() == [passed("api"), passed("hybrid")]
    assert (buildx / "words").read_text() == (
        "buildx bake -f docker-bake.hcl --set *.output=type=cacheonly "
        "api-test hybrid-test --progress=plain\n"
    )
    assert "CA_BUNDLE=/ca" in (buildx / "environment").read_text().splitlines()


def test_the_package_whose_tests_fail_is_named_with_their_last_lines(buildx: Path) -> None:
    (buildx / "script").write_text(
        f"case \" $* \" in *api-test*) cat >&2 <<'END'\n{FAILURE}END\nexit 1;; esac\n"
    )
    assert results() == [
        CheckResult(
            "api",
            "tests",
            False,
            1,
            0,
            "docker-bake.hcl: target.api-test: tests failed "
            '"E   assert 500 == 200 | FAILED tests/test_api.py::test_answers | 1 failed"',
            "findings",
        ),
        passed("hybrid"),
    ]


GO_FAILURE = """#9 [api-test test 1/1] RUN go test ./...
#9 1.2 --- FAIL: TestAnswers (0.00s)
#9 1.2     routes_test.go:39: /hello/world: 200 "{}"
#9 1.2 FAIL
#9 1.2 FAIL\tacme\t0.005s
#9 1.2 FAIL
#9 ERROR: process "/bin/sh -c go test" did not complete successfully: exit code: 1
------
 > [api-test test 1/1] RUN go test ./...:
1.2     routes_test.go:39: /hello/world: 200 "{}"
1.2 FAIL
1.2 FAIL\tacme\t0.005s
1.2 FAIL
------
"""
# buildx shows a step's last lines alone, and those of node:test only count
NODE_FAILURE = """#9 [api-test test 1/1] RUN node --test
#9 1.2 # Subtest: /hello answers
#9 1.2 not ok 3 - /hello answers
#9 1.2   ---
#9 1.2 1..3
#9 ERROR: process "/bin/sh -c node --test" did not complete successfully: exit code: 1
------
 > [api-test test 1/1] RUN node --test:
1.2 # skipped 0
1.2 # todo 0
1.2 # duration_ms 45.2
------
"""


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (GO_FAILURE, '--- FAIL: TestAnswers (0.00s) | routes_test.go:39: /hello/world: 200 "{}"'),
        (NODE_FAILURE, "not ok 3 - /hello answers"),
        ("------\n > [a test 1/1] RUN x:\n0.1 a\tb\n------\n", "a b"),
    ],
)
def test_the_test_that_failed_is_named_where_the_last_lines_do_not(log: str, line: str) -> None:
    assert package_tests.last_lines(log) == line


def test_a_build_that_fails_before_any_step_shows_its_last_lines(buildx: Path) -> None:
    (buildx / "script").write_text("echo 'ERROR: no space left' >&2; exit 1\n")
    assert [result.ok for result in results()] == [False, False]
    assert results()[0].detail == (
        'docker-bake.hcl: target.api-test: tests failed "ERROR: no space left"'
    )


HANGING = """\
#1 [internal] load build definition from Dockerfile.prod
#1 DONE 0.0s
#6 [api-test builder 3/3] RUN clean.sh
#6 CACHED
#7 [api-test test 2/2] RUN pytest -q
#7 0.50 tests/test_api.py::test_answers PASSED
#7 0.61 tests/test_api.py::test_hangs
"""
HANGS = (
    "step api-test test 2/2: tests/test_api.py::test_answers PASSED | tests/test_api.py::test_hangs"
)


def limits(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> None:
    """Set limits of the tests; a target alone gets half a second."""
    for name, value in {"LOOK": 0.05, "AGAIN": 0.5, **seconds}.items():
        monkeypatch.setattr(package_tests, name, value)


def hanging(buildx: Path, then: str = "exec sleep 1000") -> None:
    """Let the tests of `api` hang, and those of `hybrid` pass when they are asked for alone."""
    (buildx / "script").write_text(
        f"case \" $* \" in *api-test*) cat >&2 <<'END'\n{HANGING}END\n{then};; esac\n"
    )


def failed(problem: str) -> CheckResult:
    said = f'docker-bake.hcl: target.api-test: tests failed "{problem}"'
    return CheckResult("api", "tests", False, 1, 0, said, "findings")


def test_tests_that_hang_are_ended_and_named_and_others_have_passed(
    buildx: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hanging(buildx)
    limits(monkeypatch, TELL=0.1, QUIET=0.4)
    assert results() == [failed(f"no output in 0.4 s, {HANGS}"), passed("hybrid")]
    told = f"tests: no output in 0.1 s, {HANGS}; ended after 0.4 s\n"
    assert capsys.readouterr().err == told


def test_tests_that_write_without_end_are_ended_by_the_limit(
    buildx: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hanging(buildx, "while :; do echo '#7 0.7 x' >&2; sleep 0.02; done")
    limits(monkeypatch, LIMIT=0.5)
    problem = "not finished in 0.5 s, step api-test test 2/2: x | x | x"
    assert results() == [failed(problem), passed("hybrid")]
    assert capsys.readouterr().err == ""


def test_a_build_that_hangs_before_any_step_has_no_step(
    buildx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (buildx / "script").write_text("exec sleep 1000\n")
    limits(monkeypatch, QUIET=0.2)
    assert [result.detail for result in results()] == [
        f'docker-bake.hcl: target.{name}-test: tests failed "no output in 0.2 s"'
        for name in ("api", "hybrid")
    ]


def test_what_ends_the_checks_ends_the_tests(buildx: Path) -> None:
    (buildx / "script").write_text(f"echo $$ > {buildx}/pid; exec sleep 1000\n")

    def interrupted() -> None:
        with package_tests.running(TODO):
            while not (buildx / "pid").exists() or not (buildx / "pid").read_text():
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not Path("/proc", (buildx / "pid").read_text().strip()).exists()


def test_tests_that_are_skipped_are_not_run_and_say_so(buildx: Path) -> None:
    (buildx / "script").write_text("exit 1\n")
    todo = package_tests.Plan({"api": "api-test"}, {}, (), skipped=True)
    assert results(todo) == [
        CheckResult(
            "api",
            "tests",
            True,
            None,
            0,
            "docker-bake.hcl: target.api-test: not run: TESTS=skip",
            "findings",
        )
    ]
    assert not (buildx / "words").exists()


def test_the_plan_has_the_images_that_the_bake_file_has_tests_for(
    buildx: Path, engine: object
) -> None:
    (buildx / "script").write_text(f"echo '{PLAN}'\n")
    todo = package_tests.plan(engine, PROMISES, {"CA_BUNDLE": ""})  # type: ignore[arg-type] # a fake engine
    assert dict(todo.targets) == {"api": "api-test", "hybrid": "hybrid-test"}
    assert todo.untested == ()


def test_a_service_without_tests_is_a_line_and_a_base_is_not(buildx: Path, engine: object) -> None:
    (buildx / "docker-bake.hcl").write_text('group "prod" {}\n')
    todo = package_tests.plan(engine, PROMISES, {"CA_BUNDLE": ""})  # type: ignore[arg-type] # a fake engine
    assert todo.untested == ("api", "hybrid")
    assert results(todo)[0] == CheckResult(
        "api",
        "tests",
        True,
        None,
        0,
        "docker-bake.hcl: target.api-test: not run: the bake file has no such target",
        "findings",
    )


def test_without_a_bake_file_there_are_no_tests(folder: Path, engine: object) -> None:
    assert package_tests.plan(engine, PROMISES, {}) == package_tests.NONE  # type: ignore[arg-type] # a fake engine


def test_the_knob_has_one_value() -> None:
    assert package_tests.skips({"TESTS": "skip"})
    assert not package_tests.skips({})
    with pytest.raises(SutraError) as caught:
        package_tests.skips({"TESTS": "no"})
    assert caught.value.message == 'TESTS: unknown "no"'
    assert caught.value.tip == "TESTS=skip, or leave it out"


def test_the_tests_name_their_platform_where_the_builders_first_node_is_of_another(
    buildx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (buildx / "script").write_text(f"if [ \"$5\" = --print ]; then echo '{PLAN}'; fi; exit 0\n")
    foreign = "linux/arm64" if platforms.name_of("") != "linux/arm64" else "linux/amd64"
    node = Node("first", "tcp://first:1234", "running", (foreign,))
    farm = Builder("farm", "remote", (node,))
    monkeypatch.setattr("scripts.build.bake.root_variable", lambda *_: {"ROOT": "debian@sha256:1"})
    monkeypatch.setattr("scripts.engine.builders.find", lambda environment: farm)
    client: Any = None
    todo = package_tests.plan(client, PROMISES, {})
    assert todo.variables["PLATFORM"] == platforms.name_of("")
    assert todo.variables["PLATFORM_ROOT"] == todo.variables["ROOT"] == "debian@sha256:1"


def test_the_tests_run_once_for_all_platforms(
    buildx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(API, name="arm64/api", architecture="arm64")
    answer = f"if [ \"$5\" = --print ]; then echo '{PLAN}'; fi; exit 0\n"
    (buildx / "script").write_text(answer)
    monkeypatch.setattr("scripts.build.bake.root_variable", lambda *_: {})
    monkeypatch.setattr("scripts.engine.builders.find", lambda environment: builders.OWN)
    client: Any = None
    both = replace(PROMISES, images=(API, other))
    todo = package_tests.plan(client, both, {})
    assert (todo.targets, todo.elsewhere) == ({"api": "api-test"}, ("arm64/api",))
    assert results(todo) == [
        passed("api"),
        CheckResult(
            "arm64/api",
            "tests",
            True,
            None,
            0,
            "docker-bake.hcl: target.api-test: not run: "
            f"tests run on this machine's {platforms.name_of('')} alone",
            "findings",
        ),
    ]
    alone = package_tests.plan(client, replace(PROMISES, images=(other,)), {})
    assert (alone.targets, alone.elsewhere) == ({"arm64/api": "api-test"}, ())
