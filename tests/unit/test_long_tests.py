"""What `make test` leaves out is listed, has a fast form, and runs in `make test-all`."""

from __future__ import annotations

import glob
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.unit.fakes import program

ROOT = Path(__file__).resolve().parents[2]
LISTED = yaml.safe_load((ROOT / "tests/long_tests.yaml").read_text())
# a test's file and function, in what pytest prints of a collection
COLLECTED = re.compile(r"^(tests/[^:]+)::(\w+)", re.MULTILINE)


def expanded(word: str) -> list[str]:
    """Return what a shell makes of a word: the files of a pattern."""
    return sorted(glob.glob(word, root_dir=ROOT)) or [word]


MARKED = [
    str(path.relative_to(ROOT))
    for path in sorted((ROOT / "tests").rglob("*.py"))
    if re.search(r"\bmark\.long\b", path.read_text("utf-8"))
]
FAST_FORMS = sorted({place for names in LISTED.values() for place in names.values()})
# targets of the Makefile that name files, as they call pytest
CALLS = re.findall(r"\$\(PY\) pytest (.*\.py)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
# words for pytest, by what they are looked at for
COLLECTIONS = {
    "long": ["-m", "long", *MARKED],
    "fast": FAST_FORMS,
    **{call: [file for word in shlex.split(call) for file in expanded(word)] for call in CALLS},
}
# pytest collects one after the other: all but the first find what is imported already
COLLECT = """
import json, sys, pytest
for words in json.loads(sys.argv[1]):
    code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *words])
    print(f"\\nexit {int(code)}", flush=True)
"""


@pytest.fixture(scope="module")
def collected() -> dict[str, str]:
    """What pytest prints of the tests that it collects, a line each, for each of COLLECTIONS."""
    done = subprocess.run(
        [sys.executable, "-c", COLLECT, json.dumps(list(COLLECTIONS.values()))],
        cwd=ROOT,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
    )
    text, *more = re.split(r"^exit (\d)\n", done.stdout, flags=re.MULTILINE)
    texts, codes = [text, *more[1:-1:2]], more[::2]
    assert codes == ["0"] * len(COLLECTIONS), done.stdout[-3000:] + done.stderr[-3000:]
    return dict(zip(COLLECTIONS, texts, strict=True))


def places(printed: str) -> set[tuple[str, str]]:
    """Return file and function of each test that pytest printed."""
    return set(COLLECTED.findall(printed))


def recipe(target: str) -> list[str]:
    """Return the words after scripts/test.sh in a target's recipe."""
    (line,) = re.findall(rf"^{target}:.*\n\t(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return shlex.split(line.partition(" scripts/test.sh")[2])


def test_the_list_has_every_test_that_is_left_out_and_no_other(collected: dict[str, str]) -> None:
    listed = {(file, name) for file, names in LISTED.items() for name in names}
    assert places(collected["long"]) == listed


def test_every_left_out_test_has_a_fast_form(collected: dict[str, str]) -> None:
    assert sorted({file for file, _ in places(collected["fast"])}) == FAST_FORMS


def test_test_all_leaves_nothing_out_and_test_the_long_ones_alone() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert (settings["testpaths"], settings["addopts"]) == (
        ["tests"],
        ["--strict-markers", "--import-mode=importlib", "-m", "not long"],
    )
    assert (recipe("test"), recipe("test-all")) == ([], ["-m", ""])


# ---- scripts/test.sh ---------------------------------------------------------

# a stand-in for Python: as pytest it records its arguments, and ends with the code of its part in
# $CODES; as the product it builds as $BUILD says. $FIRST is what the first part does meanwhile.
PYTHON = """if [ "$2" = scripts ]; then
  echo "$*" >>build
  eval "$BUILD"
  exit
fi
echo "${PYTEST_DEBUG_TEMPROOT:-}" >>folders
printf '%s|' "$@" >>words
echo >>words
part=$(wc -l <words)
if [ "$part" = 1 ]; then eval "$FIRST"; fi
exit "$(echo "$CODES" | cut -d' ' -f"$part")"
"""
# a stand-in for engine.sh: `check` ends with $RUNS, and what starts or stops with $STARTS
ENGINE = """echo "$1" >>engine
case $1 in check) exit "$RUNS" ;; esac
exit "$STARTS"
"""
KNOBS = {"PYTEST_ADDOPTS": "", "RUNS": "0", "STARTS": "0", "BUILD": "exit 0", "FIRST": ":"}
BUILT = "-m scripts build\n"
LOG = ".cache/test-build.log"


def stand_ins(folder: Path, **knobs: str) -> dict[str, str]:
    """Copy the script, with stand-ins for what it runs; return the environment for it."""
    program(folder / "scripts", "engine.sh", ENGINE)
    shutil.copy(ROOT / "scripts/test.sh", folder / "scripts")
    program(folder / ".venv/bin", "python", PYTHON)
    return {**os.environ, **KNOBS, **knobs}


def parts(
    folder: Path, *words: str, codes: tuple[int, ...] = (0, 0, 0), chosen: str = "", **knobs: str
) -> tuple[int, list[list[str]]]:
    """Run the script in a copy; return its exit code, and pytest's words in each part."""
    own = {"CODES": " ".join(map(str, codes)), "PYTEST_ADDOPTS": chosen, **knobs}
    done = subprocess.run([folder / "scripts/test.sh", *words], env=stand_ins(folder, **own))
    lines = (folder / "words").read_text().splitlines()
    return done.returncode, [line.split("|")[2:-1] for line in lines]


def test_the_parts_together_are_the_whole_suite(tmp_path: Path) -> None:
    code, (first, second, third) = parts(tmp_path, "-m", "")
    assert code == 0
    for words, start in ((first, ["--numprocesses", "auto"]), (second, ["--numprocesses", "3"])):
        assert (words[:2], words[-2:]) == (start, ["-m", ""])
    folders, dist, files = first[2:-2], second[2:5], second[5:-2]
    assert dist == ["--dist", "loadfile", "--no-loadscope-reorder"]
    assert third == [*(f"--ignore={path}" for path in (*folders, *files)), "-m", ""]
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_what_one_worker_compiles_the_others_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    said = 'echo "${PYTHONDONTWRITEBYTECODE-unset}" >bytecode'
    assert parts(tmp_path, FIRST=said)[0] == 0
    assert (tmp_path / "bytecode").read_text() == "unset\n"


@pytest.mark.parametrize(
    ("own", "megabytes", "chmod", "folders"),
    [
        ("", 4000, "/bin/chmod", ["/dev/shm", "", ""]),
        ("", 3999, "/bin/chmod", ["", "", ""]),
        ("", 4000, "/bin/true", ["", "", ""]),
        ("/own", 4000, "/bin/chmod", ["/own", "/own", "/own"]),
    ],
    ids=["space", "too little", "no programs", "a folder of the caller's"],
)
def test_files_of_the_first_part_are_in_memory_where_it_takes_them(
    tmp_path: Path, own: str, megabytes: int, chmod: str, folders: list[str]
) -> None:
    """A program that chmod left as it was is refused, as all are where nothing may be run."""
    line = f"tmpfs 9000 1 {megabytes} 1% /dev/shm"
    program(tmp_path / "bin", "df", f'[ "$*" = "-Pm /dev/shm" ] && echo head && echo "{line}"\n')
    (tmp_path / "bin/chmod").symlink_to(chmod)
    program(tmp_path / "bin", "mktemp", '/bin/mktemp "$@" | tee program\n')
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    assert parts(tmp_path, PATH=path, PYTEST_DEBUG_TEMPROOT=own)[0] == 0
    assert (tmp_path / "folders").read_text().split("\n")[:-1] == folders
    tried = tmp_path / "program"
    assert tried.exists() == (not own and megabytes == 4000)
    assert not (tried.exists() and Path(tried.read_text().strip()).exists())


# exit codes of the parts → that of the script for a selection of tests, and for all tests
CODES = [
    ((0, 0, 0), 0, 0),
    ((0, 1, 0), 1, 1),
    ((1, 0, 0), 1, 1),
    ((0, 0, 1), 1, 1),
    ((0, 1, 2), 1, 1),
    ((5, 0, 0), 0, 5),
    ((0, 5, 0), 0, 5),
    ((0, 0, 5), 0, 5),
    ((5, 5, 5), 5, 5),
    ((5, 1, 0), 1, 5),
    ((1, 5, 5), 1, 1),
    ((5, 5, 1), 1, 5),
]


@pytest.mark.parametrize(("codes", "code"), [(codes, code) for codes, code, _ in CODES])
@pytest.mark.parametrize(("words", "chosen"), [((), "-kx"), (("-k", "x"), ""), (("-m", ""), "-kx")])
def test_every_part_runs_and_no_failure_is_lost(
    tmp_path: Path, codes: tuple[int, ...], code: int, words: tuple[str, ...], chosen: str
) -> None:
    exit_code, ran = parts(tmp_path, *words, codes=codes, chosen=chosen)
    assert (exit_code, len(ran)) == (code, 3)


@pytest.mark.parametrize(("codes", "code"), [(codes, code) for codes, _, code in CODES])
@pytest.mark.parametrize("words", [(), ("-m", "")])
def test_of_all_tests_no_part_is_without_one(
    tmp_path: Path, codes: tuple[int, ...], code: int, words: tuple[str, ...]
) -> None:
    exit_code, ran = parts(tmp_path, *words, codes=codes)
    assert (exit_code, len(ran)) == (code, 3)


@pytest.mark.parametrize(
    ("runs", "calls"),
    [("0", ["check", ""]), ("2", ["check", "", "stop"])],
    ids=["runs", "does not"],
)
@pytest.mark.parametrize("chosen", ["", "-kx"])
@pytest.mark.parametrize("codes", [(0, 0, 0), (0, 1, 0), (0, 2, 0)])
def test_an_engine_that_was_started_here_is_stopped(
    tmp_path: Path, runs: str, calls: list[str], codes: tuple[int, ...], chosen: str
) -> None:
    exit_code, _ = parts(tmp_path, codes=codes, chosen=chosen, RUNS=runs)
    assert exit_code == codes[1]
    assert (tmp_path / "engine").read_text().split("\n")[:-1] == calls


@pytest.mark.parametrize("chosen", ["", "-kx"])
@pytest.mark.parametrize("first", [0, 1])
def test_without_an_engine_the_others_do_not_begin(tmp_path: Path, chosen: str, first: int) -> None:
    exit_code, ran = parts(tmp_path, codes=(first, 0, 0), chosen=chosen, RUNS="2", STARTS="2")
    assert (exit_code, len(ran)) == (2, 1)
    assert (tmp_path / "engine").read_text() == "check\n\nstop\n"
    assert not (tmp_path / "build").exists()


# waits for the other one: what runs before or after it fails
BESIDE = "touch {own}; for _ in $(seq 100); do [ ! -e {other} ] || exit 0; sleep 0.1; done; exit 1"


def test_the_images_are_built_beside_the_first_part(tmp_path: Path) -> None:
    first = BESIDE.format(own="first", other="second")
    exit_code, ran = parts(
        tmp_path,
        BUILD=BESIDE.format(own="second", other="first"),
        FIRST=f"({first}) || exit 1",
    )
    assert (exit_code, len(ran)) == (0, 3)
    assert (tmp_path / "build").read_text() == BUILT


def test_they_are_built_as_make_build_builds_them() -> None:
    """It refuses some words: a group of the bake file beside a target that has two tags."""
    makefile = (ROOT / "Makefile").read_text()
    (words,) = re.findall(r"^build: .*\n\t.* \$\(RUN\) (.*)$", makefile, re.MULTILINE)
    assert f"-m scripts {words}\n" == BUILT


@pytest.mark.parametrize(("words", "chosen"), [((), "-kx"), (("-k", "x"), ""), (("-m", ""), "-x")])
def test_where_tests_are_chosen_nothing_is_built(
    tmp_path: Path, words: tuple[str, ...], chosen: str
) -> None:
    assert parts(tmp_path, *words, chosen=chosen, FIRST="! grep -qx '' engine || exit 1")[0] == 0
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize("first", [0, 1])
def test_a_build_that_fails_ends_the_run_with_its_last_lines(
    tmp_path: Path, first: int, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = "seq 1000; echo 'build: step failed' >&2; echo 'tip: fix it' >&2"
    exit_code, ran = parts(tmp_path, codes=(first, 0, 0), BUILD=f"{lines}; exit 2")
    assert (exit_code, len(ran)) == (2, 1)
    assert capfd.readouterr().err.splitlines() == [
        f"test: no images to test, the end of {LOG}:",
        *map(str, range(963, 1001)),
        "build: step failed",
        "tip: fix it",
    ]
    assert (tmp_path / LOG).read_text().startswith("1\n2\n")


# a build that writes its process id and hangs; a first part that begins when that is there
HANGS = "echo $$ >pid.partial; mv pid.partial pid; exec sleep 600"
BEGUN = "until [ -e pid ]; do sleep 0.05; done"


@pytest.mark.parametrize("code", [2, 3, 4])
def test_a_build_ends_with_the_run(tmp_path: Path, code: int) -> None:
    exit_code, ran = parts(tmp_path, codes=(code, 0, 0), RUNS="2", BUILD=HANGS, FIRST=BEGUN)
    assert (exit_code, len(ran)) == (code, 1)
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()
    assert (tmp_path / "engine").read_text() == "check\n\nstop\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_of_all_leaves_no_build_behind(tmp_path: Path, number: signal.Signals) -> None:
    """A terminal interrupts its own process group, and the build has one of its own."""
    environment = stand_ins(
        tmp_path, CODES="0 0 0", RUNS="2", BUILD=HANGS, FIRST=f"{BEGUN}; touch begun; sleep 600"
    )
    script = tmp_path / "scripts/test.sh"
    process = subprocess.Popen([script], env=environment, start_new_session=True)
    while not (tmp_path / "begun").exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, number)
    assert process.wait(60) == -number
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()
    assert (tmp_path / "engine").read_text() == "check\n\nstop\n"


def test_a_folder_that_is_not_there_is_no_success(tmp_path: Path) -> None:
    """Genuine pytest: its workers find no test at all, and call that 5."""
    program(tmp_path / "scripts", "engine.sh", "exit 0")
    shutil.copy(ROOT / "scripts/test.sh", tmp_path / "scripts")
    nothing_built = '[ "$2" != scripts ] || exit 0\n'
    program(tmp_path / ".venv/bin", "python", f'{nothing_built}exec {sys.executable} -P "$@"')
    for name in ("unit", "engine"):
        (tmp_path / "tests" / name).mkdir(parents=True)
        (tmp_path / f"tests/{name}/test_{name}.py").write_text("def test_one(): pass\n")
    own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}
    environment = {**os.environ, **own, "PYTEST_ADDOPTS": ""}
    script = tmp_path / "scripts/test.sh"
    done = subprocess.run([script], env=environment, capture_output=True, text=True)
    assert done.returncode == 5, done.stdout


@pytest.mark.parametrize("code", [2, 3, 4])
@pytest.mark.parametrize("part", [1, 2])
def test_an_interrupt_or_a_wrong_call_ends_it(tmp_path: Path, code: int, part: int) -> None:
    codes = (code, 0, 0) if part == 1 else (0, code, 0)
    exit_code, ran = parts(tmp_path, codes=codes)
    assert (exit_code, len(ran)) == (code, part)


@pytest.mark.parametrize("call", CALLS)
def test_every_file_that_a_target_names_is_run_once(call: str, collected: dict[str, str]) -> None:
    """pytest runs a file below a folder that is named too twice, or not, and says nothing."""
    printed = collected[call]
    named = {word for word in shlex.split(call) if word.endswith(".py") and "*" not in word}
    assert named <= {file for file, _ in places(printed)}
    tests = [line for line in printed.splitlines() if "::" in line]
    assert len(tests) == len(set(tests))


def test_targets_that_name_files_are_there() -> None:
    assert len(CALLS) == 5
