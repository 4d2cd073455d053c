"""`make outdated` and `make update` with Debian's packages, against a signed mirror on loopback."""

from __future__ import annotations

import json
import resource
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.common.errors import run
from scripts.debian import builders_lock, packages_lock
from scripts.debian.packages_lock import LOCK, MACHINES
from scripts.history import ledger
from scripts.history.ledger import Entry, Promoted
from scripts.sbom import lock_copies, newest, outdated_rows, take_updates
from scripts.sbom.outdated import Row
from tests.support.debian_mirror import Mirror
from tests.unit.fakes import program

BUDGET = "budget: {installed: 6 MB, download: 2 MB}"
CATALOG = f"""\
release: {{{BUDGET}}}
images: {{sutra-base-python: {{{BUDGET}}}, sutra-a: {{{BUDGET}}}, sutra-b: {{{BUDGET}}}}}
"""
SLICE = """\
FROM debian AS slice
RUN /lib/sutra/slice.sh /rootfs \\
      libsafe1 \\
      plain
"""
Call = Callable[..., tuple[int, str, str]]
CVES = "CVE-2026-1000, CVE-2026-1001, CVE-2026-1002, CVE-2026-1003"
CHANGES = """\
safe (1.0-1+deb13u1) trixie-security; urgency=high

  * CVE-2026-1000, CVE-2026-1001, CVE-2026-1002, CVE-2026-1003

safe (1.0-1) unstable; urgency=low
"""


def promoted(download: int) -> Promoted:
    return Promoted("sha256:" + "1" * 64, "", "", download, download)


@pytest.fixture
def call(
    folder: Path,
    mirror: Mirror,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Call:
    """Call a command in a small project whose lock is behind its mirror."""
    (folder / "images.yaml").write_text(CATALOG)
    for name, text in {
        "base-images/python-prod.Dockerfile": SLICE,
        "packages/sutra-a/Dockerfile.prod": "FROM x AS y\nFROM sutra-base-python:prod\n",
        "packages/sutra-b/Dockerfile.prod": "FROM sutra-base-python:prod AS y\nFROM scratch\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    safe, plain = mirror.add("libsafe1", "1.0-1", source="safe"), mirror.add("plain", "1.0")
    lines = f"libsafe1 1.0-1 all {safe}\nplain 1.0 all {plain}\n"
    LOCK.write_text(f"# suite: trixie\n# day: 20260102T000000Z\n{lines}")
    mirror.publish()
    for name, value in mirror.knobs.items():
        monkeypatch.setenv(name, value)

    def command(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            run(lambda: front_door(words))
        out, err = capfd.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, out, err

    return command


def newer(mirror: Mirror) -> None:
    """Give the mirror a security update, and a plain one for one machine after the other."""
    mirror.add("libsafe1", "1.0-1+deb13u1", "trixie-security", source="safe", changelog=CHANGES)
    mirror.add("plain", "1.1", changelog="plain (1.1) trixie; urgency=low\n")
    mirror.publish()


SAFE = (
    "| deb | libsafe1 | 1.0-1 | 1.0-1+deb13u1 | security suite | "
    "CVE-2026-1000, CVE-2026-1001, CVE-2026-1002, CVE-2026-1003 | {} | sutra-base-python, sutra-a |"
)
PLAIN = "| deb | plain | 1.0 | 1.1 |  |  | {} | sutra-base-python, sutra-a |"
END = "2 of 2 locked versions are outdated or have an advisory"


def test_a_lock_that_is_the_newest(call: Call) -> None:
    out = "0 of 2 locked versions are outdated or have an advisory\n"
    code, said, err = call("outdated", "--format", "markdown")
    assert (code, said.splitlines(True)[2:], err) == (0, [out], "")
    assert call("update") == (0, "update: every lock has the newest, nothing was written\n", "")


def test_newer_packages_with_their_vulnerabilities_images_and_cost(
    call: Call, mirror: Mirror
) -> None:
    newer(mirror)
    rows = call("outdated", "--format", "markdown")[1].splitlines()[2:]
    assert rows == [SAFE.format("not known"), PLAIN.format("not known"), END]
    images = {"sutra-base-python": promoted(11_000_000), "sutra-a": promoted(15_500_000)}
    ledger.LEDGER.parent.mkdir()
    ledger.append(
        Entry(1, "2026-01-01T00:00:00Z", "a", "promote", "", "", "", "1", 1, 0, {}, images)
    )
    code, out, err = call("outdated", "--format", "markdown")
    assert (code, err) == (0, "")
    assert out.splitlines()[2:] == [SAFE.format("11.0 MB"), PLAIN.format("11.0 MB"), END]
    row = json.loads(call("outdated", "--format", "json")[1])[0]
    assert (row["newest"], row["security"], row["pull"]) == (
        "1.0-1+deb13u1",
        "security suite",
        11_000_000,
    )
    table = call("outdated")[1]
    assert "CVE-2026-1002" in table
    assert "CVE-2026-1003" not in table


def with_python(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a service one distribution that has a newer version."""
    (folder / "packages/sutra-a/requirements.lock").write_text("h11==0.14.0\n")
    monkeypatch.setattr(newest, "_of_pypi", lambda package, *_: newest.Newer(package, "0.16.0", ()))


NOT_HERE = (
    "outdated: debian: not run here: no apt-get\n"
    "tip: run it on Debian or Ubuntu, or in a container of it\n"
)


@pytest.mark.parametrize("form", ["table", "markdown", "github"])
def test_without_apt_the_rest_is_listed_and_one_line_says_so(
    call: Call, mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    newer(mirror)
    with_python(folder, monkeypatch)
    monkeypatch.setenv("PATH", "/nonexistent")
    code, out, err = call("outdated", "--format", form)
    assert (code, err) == (2, NOT_HERE)
    assert "h11" in out
    assert "libsafe1" not in out
    assert "1 of 3 locked versions are outdated or have an advisory; Debian's 2: " in out
    assert out.count("not run here: no apt-get") == 1


def test_without_apt_json_has_every_row_and_nothing_is_updated(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_python(folder, monkeypatch)
    monkeypatch.setenv("PATH", "/nonexistent")
    code, out, err = call("outdated", "--format", "json")
    assert (code, err) == (2, NOT_HERE)
    rows = {row["name"]: (row["newest"], row["security"], row["why"]) for row in json.loads(out)}
    none = (None, None, "not run here: no apt-get")
    assert rows == {"h11": ("0.16.0", "", ""), "libsafe1": none, "plain": none}
    assert call("update") == (2, "", NOT_HERE.removeprefix("outdated: "))


def test_github_gets_a_summary_and_a_warning_for_each_security_update(
    call: Call, mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer(mirror)
    warning = (
        f"::warning file={LOCK},title=security update::libsafe1 1.0-1 → 1.0-1+deb13u1: "
        "CVE-2026-1000, CVE-2026-1001, CVE-2026-1002, CVE-2026-1003"
    )
    assert call("outdated", "--format", "github")[1].splitlines()[-1] == warning
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary"))
    assert call("outdated", "--format", "github") == (0, f"{warning}\n", "")
    summary = (folder / "summary").read_text()
    assert summary.startswith(f"## Sutra: {END}\n\n| kind |")
    assert SAFE.format("not known") in summary.splitlines()


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a mirror that does not answer."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setenv("APT_MIRROR", f"http://{address}/debian")
    return address


def test_a_mirror_that_does_not_answer_is_never_green(call: Call, closed: str) -> None:
    code, out, err = call("outdated", "--format", "markdown")
    assert code == 2
    assert out.splitlines()[-1] == (
        "0 of 2 locked versions are outdated or have an advisory, 2 of Debian are not known"
    )
    row = out.splitlines()[2]
    assert row.startswith("| deb | libsafe1 | 1.0-1 | not known | not known | not known: `")
    # apt 2, apt 3
    assert f" Could not connect to {closed} (" in row or f" Unable to connect to {closed}`" in row
    problem, tip = err.splitlines()
    assert problem.startswith("outdated: debian: not known: ")
    assert tip == (
        "tip: check the network, APT_MIRROR and CA_BUNDLE, then run the same command again"
    )
    rows = json.loads(call("outdated", "--format", "json")[1])
    assert [(row["newest"], row["security"], row["advisories"]) for row in rows] == [
        (None, None, None)
    ] * 2


@pytest.mark.parametrize("only", ["", "security", "debian"])
def test_nothing_is_taken_from_a_mirror_that_does_not_answer(
    call: Call, closed: str, only: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONLY", only)
    before = LOCK.read_bytes()
    code, out, err = call("update")
    assert (code, out, len(err.splitlines())) == (2, "", 2)
    assert err.startswith("debian: not known: ")
    assert LOCK.read_bytes() == before


def versions() -> dict[str, str]:
    lock = packages_lock.read()
    assert lock
    return {package.name: package.version for package in lock.packages}


def test_only_security_updates_are_taken(call: Call, mirror: Mirror) -> None:
    newer(mirror)
    before = LOCK.read_bytes()
    code, out, err = call("update", "--only", "security", "--dry-run")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "update: 1 version would be taken into the locks"
    assert "libsafe1" in out
    assert "plain" not in out
    assert LOCK.read_bytes() == before
    code, out, _ = call("update", "--only", "security")
    assert out.splitlines()[-1] == "update: 1 version was taken into the locks"
    assert versions() == {"libsafe1": "1.0-1+deb13u1", "plain": "1.0"}
    assert call("update", "--only", "security")[1] == (
        "update: no security update is known, nothing was written\n"
    )


def test_what_may_be_a_security_update_is_named(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror of PyPI without advisories is no proof that there are none."""
    (folder / "packages/sutra-a/requirements.lock").write_text("h11==0.14.0\nidna==3\n")
    newest_of = {"h11": ("0.16.0", None), "idna": ("3", None)}
    monkeypatch.setattr(
        newest, "_of_pypi", lambda package, *_: newest.Newer(package, *newest_of[package.name])
    )
    assert call("update", "--only", "security") == (
        0,
        "update: not known whether newer ones are security updates: h11\n"
        "update: no security update is known, nothing was written\n",
        "",
    )


def test_everything_is_taken(call: Call, mirror: Mirror) -> None:
    newer(mirror)
    assert call("update")[0] == 0
    assert versions() == {"libsafe1": "1.0-1+deb13u1", "plain": "1.1"}
    assert LOCK.read_text().splitlines()[2] > "# day: 20260102T000000Z"


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\n", None])
def test_debian_s_packages_are_locked_anew_whatever_the_lock_is(
    call: Call, mirror: Mirror, text: str | None
) -> None:
    newer(mirror)
    LOCK.unlink()
    if text:
        LOCK.write_text(text)
    assert call("update", "--only", "debian", "--dry-run") == (
        0,
        "libsafe1 all: (none) → 1.0-1+deb13u1\nplain all: (none) → 1.1\n"
        f"{LOCK}: 2 versions would be taken into the locks\n",
        "",
    )
    assert LOCK.exists() == bool(text)
    assert call("update", "--only", "debian")[0] == 0
    assert versions() == {"libsafe1": "1.0-1+deb13u1", "plain": "1.1"}
    assert call("update", "--only", "debian") == (
        0,
        f"{LOCK}: every lock has the newest, nothing was written\n",
        "",
    )


def test_a_lock_that_cannot_be_written_leaves_all_as_they_were(
    call: Call, mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second lock fails: the first one, which was written, is taken back."""
    newer(mirror)
    lock = folder / "packages/sutra-a/requirements.lock"
    lock.write_text("h11==0.14.0\n")
    monkeypatch.setattr(
        newest, "_of_pypi", lambda package, *_: newest.Newer(package, "0.16.0", ("PYSEC-1",))
    )
    words = f'echo "$PACKAGE $UPGRADE" >>{folder}/words; echo broken >{lock}; exit 1\n'
    program(folder / "scripts", "lock.sh", words)
    before = LOCK.read_bytes()
    code, _, err = call("update", "--only", "security")
    assert (code, err) == (
        2,
        "update: packages/sutra-a: its locks cannot be written, all are as they were\n"
        "tip: read the lines above, then run the same command again\n",
    )
    assert (LOCK.read_bytes(), lock.read_text()) == (before, "h11==0.14.0\n")
    assert call("update")[0] == 2
    assert (folder / "words").read_text() == "sutra-a h11\nsutra-a all\n"
    program(folder / "scripts", "lock.sh", "true\n")
    code, out, _ = call("update", "--only", "security")
    assert (code, out.splitlines()[-1]) == (
        0,
        "update: 1 version was taken into the locks; held back by what needs the earlier one: h11",
    )
    LOCK.write_bytes(before)
    program(folder / "scripts", "lock.sh", f"echo h11==0.16.0 >{lock}\n")
    code, out, _ = call("update", "--only", "security")
    assert (code, out.splitlines()[-1]) == (0, "update: 2 versions were taken into the locks")
    assert lock.read_text() == "h11==0.16.0\n"
    assert versions()["libsafe1"] == "1.0-1+deb13u1"


def test_a_lock_that_cannot_be_put_back_is_named(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = folder / "packages/sutra-a/requirements.lock"
    lock.write_text("h11==0.14.0\n")
    monkeypatch.setattr(newest, "_of_pypi", lambda package, *_: newest.Newer(package, "0.16.0", ()))
    other = lock.with_name("requirements-test.lock")
    other.write_text("h11==0.14.0\n")
    program(folder / "scripts", "lock.sh", f"rm {lock}; mkdir {lock}; echo x >{other}; exit 1\n")
    code, _, err = call("update")
    path = "packages/sutra-a/requirements.lock"
    assert (code, err) == (
        2,
        f'update: cannot put back "{path}": Is a directory\n'
        f"tip: `git checkout {path}` brings the lock of the last commit back, "
        f"{path}.before is the one before this run\n",
    )
    assert other.read_text() == Path(f"{path}.before").read_text() == "h11==0.14.0\n"


def begun(folder: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> Path:
    """Return a lock that is behind its index, where scripts/lock.sh runs `words`."""
    lock = folder / "packages/sutra-a/requirements.lock"
    lock.write_text("h11==0.14.0\n")
    monkeypatch.setattr(newest, "_of_pypi", lambda package, *_: newest.Newer(package, "0.16.0", ()))
    program(folder / "scripts", "lock.sh", words)
    return lock


@pytest.mark.parametrize("signal", ["INT", "TERM"])
def test_an_interrupt_leaves_all_locks_as_they_were(
    call: Call, mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch, signal: str
) -> None:
    """What scripts/lock.sh has started would write its lock after that; it is ended first."""
    newer(mirror)
    lock = begun(
        folder,
        monkeypatch,
        "cd packages/sutra-a; (sleep 0.5; echo late >requirements.lock) & "
        "echo half >requirements.lock; echo new >requirements-new.lock; "
        f"kill -{signal} $PPID; wait",
    )
    before = LOCK.read_bytes()
    code, _, err = call("update")
    assert (code, err.splitlines()[0]) == (2, "interrupted")
    time.sleep(0.7)
    assert (LOCK.read_bytes(), lock.read_text()) == (before, "h11==0.14.0\n")
    assert sorted(path.name for path in lock.parent.iterdir()) == [
        "Dockerfile.prod",
        "requirements.lock",
    ]


def test_locks_are_put_back_on_a_full_disk(
    call: Call, mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file of more than a MB can be written when the first lock was."""
    newer(mirror)
    lock = begun(folder, monkeypatch, "exit 1")
    text = "h11==0.14.0\n" + "# via x\n" * 200_000
    lock.write_text(text)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(_: object) -> int:
        lock.write_text("half")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
        return 1

    monkeypatch.setattr(take_updates, "_exit_code", fill)
    try:
        code, _, err = call("update")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (code, err.splitlines()[0]) == (
        2,
        "update: packages/sutra-a: its locks cannot be written, all are as they were",
    )
    assert lock.read_text() == text


def test_a_lock_that_cannot_be_copied_is_not_written(
    call: Call, mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer(mirror)
    lock = begun(folder, monkeypatch, "echo broken >packages/sutra-a/requirements.lock")
    text = "h11==0.14.0\n" + "# via x\n" * 200_000
    lock.write_text(text)
    before = LOCK.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    copied = lock_copies.all_or_none

    def bounded(locks: Callable[[], Iterable[Path]]) -> AbstractContextManager[None]:
        """Allow no file of more than a MB from here on: apt 3 writes larger ones before."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
        return copied(locks)

    monkeypatch.setattr(lock_copies, "all_or_none", bounded)
    try:
        code, _, err = call("update")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    problem, tip = err.splitlines()
    assert (code, tip) == (2, "tip: `df -h .` and `ls -l` say more")
    assert problem.startswith("update: cannot copy a lock: [Errno 27] File too large")
    assert (LOCK.read_bytes(), lock.read_text()) == (before, text)
    assert not list(folder.rglob("*.before"))


def test_a_lock_that_is_a_link_or_read_only_stays_that(
    call: Call, mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer(mirror)
    lock = begun(folder, monkeypatch, "exit 1")
    lock.chmod(0o400)
    LOCK.rename(folder / "real.lock")
    LOCK.symlink_to("../real.lock")
    before = LOCK.read_bytes()
    assert call("update")[0] == 2
    assert (LOCK.is_symlink(), LOCK.read_bytes()) == (True, before)
    assert (lock.stat().st_mode & 0o777, lock.read_text()) == (0o400, "h11==0.14.0\n")
    assert call("update", "--only", "debian")[0] == 0
    assert LOCK.is_symlink()
    assert versions() == {"libsafe1": "1.0-1+deb13u1", "plain": "1.1"}


def test_the_copies_of_a_killed_run_are_named(
    call: Call, mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer(mirror)
    begun(folder, monkeypatch, "exit 1")
    copy = folder / "packages/sutra-a/requirements.lock.before"
    copy.write_text("earlier")
    path = "packages/sutra-a/requirements.lock"
    before = LOCK.read_bytes()
    code, _, err = call("update")
    assert (code, err) == (
        2,
        f'update: an earlier run was killed: "{path}.before" is a lock as it was before\n'
        f"tip: `mv {path}.before {path}` brings it back, `rm {path}.before` keeps the one that is "
        "there\n",
    )
    assert (LOCK.read_bytes(), copy.read_text()) == (before, "earlier")


@pytest.mark.parametrize("command", ["outdated", "update"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "no such file"),
        ("# suite: trixie\n", 'no "libsafe1" for amd64'),
        (f"# suite: trixie\nlibsafe1 1.0-1 all {'0' * 64}\n", 'no "plain" for amd64'),
        (
            f"# suite: trixie\nlibsafe1 1.0-1 all {'0' * 64}\nplain 1.0 amd64 {'0' * 64}\n",
            'no "plain" for arm64',
        ),
    ],
)
def test_a_lock_that_was_cut_is_not_compared(
    call: Call, command: str, text: str | None, problem: str
) -> None:
    """What it lost would count as the newest."""
    LOCK.unlink()
    if text:
        LOCK.write_text(text)
    assert call(command) == (
        2,
        "",
        f"{LOCK}: {problem}\ntip: `make update ONLY=debian` writes it anew\n",
    )


def test_a_changelog_in_another_form_is_no_proof(call: Call, mirror: Mirror) -> None:
    mirror.add("plain", "1.1", changelog="Changes in 1.1: CVE-2026-1000\n")
    mirror.publish()
    rows = json.loads(call("outdated", "--format", "json")[1])
    assert [(row["name"], row["security"], row["advisories"], row["why"]) for row in rows] == [
        ("plain", "", None, "its changelog has no entry in Debian's form")
    ]


def test_an_unknown_word_is_refused(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONLY", "python")
    assert call("update") == (
        2,
        "",
        'ONLY: unknown "python"\ntip: ONLY=security or ONLY=debian\n',
    )


def test_both_machines_are_locked(call: Call, mirror: Mirror) -> None:
    for machine in MACHINES:
        mirror.add("plain", "1.2", architecture=machine)
    mirror.publish()
    assert call("update", "--only", "debian")[0] == 0
    lock = packages_lock.read()
    assert lock
    assert [p.architecture for p in lock.packages if p.name == "plain"] == list(MACHINES)


def test_a_mirror_s_words_are_code_in_a_pull_request() -> None:
    """They would close issues, mention people, or end the cell."""
    why = "404 Fixes #1 `@team` | <img>"
    row = Row("deb", "a", "1", None, "", None, ("b",), None, why)
    assert outdated_rows.markdown([row]).splitlines()[2] == (
        "| deb | a | 1 | not known | not known | not known: `404 Fixes #1 '@team' / <img>` | "
        "not known | b |"
    )
    assert why in outdated_rows.cells(row)[5]


# ---- what builds the images ------------------------------------------------


@pytest.fixture
def built(call: Call, folder: Path, mirror: Mirror) -> Call:
    """The same project, whose builder has a compiler that is behind the mirror."""
    dockerfile = folder / "packages/sutra-b/Dockerfile.prod"
    dockerfile.write_text("FROM debian\nRUN apt.sh install \\\n      gcc\n")
    lines = [
        f"{name} 1 all {mirror.add(name, '1', depends=needs)}"
        for name, needs in (("gcc", "libgcc (= 1)"), ("libgcc", ""))
    ]
    builders_lock.LOCK.write_text("\n".join(["# suite: trixie", *lines, ""]))
    mirror.publish()
    return call


def test_a_compiler_that_is_the_newest(built: Call) -> None:
    assert built("update") == (0, "update: every lock has the newest, nothing was written\n", "")


def test_a_toolchain_is_taken_whole(built: Call, mirror: Mirror) -> None:
    """Its packages need each other in one version: one alone could not be installed."""
    mirror.add("gcc", "2", depends="libgcc (= 2)")
    text = CHANGES.replace("safe", "libgcc").replace("1.0-1+deb13u1", "2").replace("1.0-1", "1")
    mirror.add("libgcc", "2", "trixie-security", changelog=text)
    mirror.publish()
    row = f"| deb | libgcc | 1 | 2 | security suite | {CVES} | not known | (builders) |"
    out = built("outdated", "--format", "markdown")[1].splitlines()
    assert row in out
    assert out[-1] == "2 of 4 locked versions are outdated or have an advisory"
    warning = "::warning file=base-images/builders.lock,title=security update::libgcc 1 → 2"
    assert f"{warning}: {CVES}" in built("outdated", "--format", "github")[1].splitlines()
    before = LOCK.read_bytes()
    code, out_text, err = built("update", "--only", "security")
    assert (code, out_text.splitlines()[-1], err) == (
        0,
        "update: 1 version was taken into the locks",
        "",
    )
    lock = packages_lock.read(builders_lock.LOCK)
    assert lock
    assert [(package.name, package.version) for package in lock.packages] == [
        ("gcc", "2"),
        ("libgcc", "2"),
    ]
    assert LOCK.read_bytes() == before


def test_both_locks_are_written_anew(built: Call, mirror: Mirror) -> None:
    builders_lock.LOCK.write_text("<<<<<<<\n")
    newer(mirror)
    code, out, err = built("update", "--only", "debian")
    assert (code, err) == (0, "")
    assert out == (
        "libsafe1 all: 1.0-1 → 1.0-1+deb13u1\nplain all: 1.0 → 1.1\n"
        "gcc all: (none) → 1\nlibgcc all: (none) → 1\n"
        f"{LOCK}: 2 versions were taken into the locks\n"
        "base-images/builders.lock: 2 versions were taken into the locks\n"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "no such file"),
        ("# suite: trixie\n", 'no "gcc" for amd64'),
        (
            f"# suite: forky\ngcc 1 all {'0' * 64}\n",
            'suite: "forky", the bases\' is "trixie"',
        ),
        (
            f"# suite: trixie\ngcc 1 all {'0' * 63}\n",
            f'line 2: not a locked package "gcc 1 all {"0" * 63}"',
        ),
    ],
)
def test_a_builders_lock_that_is_not_whole(built: Call, text: str | None, problem: str) -> None:
    builders_lock.LOCK.unlink()
    if text:
        builders_lock.LOCK.write_text(text)
    tip = "tip: `make update ONLY=debian` writes it anew\n"
    assert built("outdated") == (2, "", f"base-images/builders.lock: {problem}\n{tip}")


def test_a_mirror_that_does_not_answer_says_nothing_of_compilers_either(
    built: Call, closed: str
) -> None:
    rows = json.loads(built("outdated", "--format", "json")[1])
    assert [(row["name"], row["newest"], row["images"]) for row in rows[2:]] == [
        ("gcc", None, ["(builders)"]),
        ("libgcc", None, ["(builders)"]),
    ]
