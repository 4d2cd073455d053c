"""Raising a budget takes a reason; the check stops if git cannot tell whether it was raised."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from scripts.__main__ import main as front_door
from scripts.catalog import budget_history, catalog
from scripts.common.errors import SutraError
from tests.unit.fakes import program

CATALOG = """\
release: {budget: {installed: 5 MB, download: 5 MB}} # kept
images:
  sutra-api: {budget: {installed: 3 MB, download: 0.1 MB}}
"""


@pytest.fixture
def repository(folder: Path) -> Path:
    for words in (("init", "-q"), ("config", "user.email", "a@b"), ("config", "user.name", "n")):
        subprocess.run(["git", *words], check=True)
    commit(folder, CATALOG)
    return folder


def commit(folder: Path, text: str) -> None:
    (folder / "images.yaml").write_text(text)
    subprocess.run(["git", "add", "-A"], check=True)
    subprocess.run(["git", "commit", "-q", "-m", "x"], check=True)


RAISED = CATALOG.replace("installed: 3 MB", "installed: 3.1 MB")
WITH_REASON = RAISED.replace("0.1 MB}", "0.1 MB, because: a model came}")
REFUSAL = (
    'images.yaml: images.sutra-api.budget.installed: raised "3.1 MB", it was 3.0 MB',
    "give the reason in images.sutra-api.budget.because, or lower it again",
)


def refusal() -> tuple[str, str] | None:
    try:
        budget_history.refuse_raises(catalog.load())
    except SutraError as error:
        return error.message, error.tip
    return None


def test_raising_takes_a_reason(repository: Path) -> None:
    (repository / "images.yaml").write_text(RAISED)
    assert refusal() == REFUSAL
    (repository / "images.yaml").write_text(WITH_REASON)
    assert refusal() is None


def test_a_pipeline_sees_what_was_committed(repository: Path) -> None:
    commit(repository, RAISED)
    assert refusal() == REFUSAL
    (repository / "other").write_text("")
    commit(repository, RAISED)
    assert refusal() == REFUSAL
    commit(repository, WITH_REASON)
    assert refusal() is None


def test_the_release_takes_a_reason_too(repository: Path) -> None:
    text = CATALOG.replace("download: 5 MB", "download: 5.1 MB")
    (repository / "images.yaml").write_text(text)
    assert refusal() == (
        'images.yaml: release.budget.download: raised "5.1 MB", it was 5.0 MB',
        "give the reason in release.budget.because, or lower it again",
    )


@pytest.mark.parametrize("base", ["debian", "alpine"])
def test_raising_a_bases_sizes_takes_a_reason_whichever_is_built(
    repository: Path, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    monkeypatch.setenv("BASE", base)
    text = CATALOG.replace(
        "installed: 3 MB", "alpine: {installed: 4 MB, download: 1 MB}, installed: 3 MB"
    )
    commit(repository, text)
    assert refusal() is None
    (repository / "images.yaml").write_text(text.replace("4 MB", "4.1 MB"))
    assert refusal() == (
        'images.yaml: images.sutra-api.budget.alpine.installed: raised "4.1 MB", it was 4.0 MB',
        "give the reason in images.sutra-api.budget.alpine.because, or lower it again",
    )


@pytest.mark.parametrize(
    "text",
    [
        CATALOG,
        CATALOG.replace("3 MB", "2 MB"),
        CATALOG + "  sutra-new: {budget: {installed: 9 MB, download: 9 MB}}\n",
    ],
    ids=["unchanged", "lowered", "a new image"],
)
def test_what_needs_no_reason(repository: Path, text: str) -> None:
    (repository / "images.yaml").write_text(text)
    assert refusal() is None


def test_without_an_earlier_version_nothing_was_raised(folder: Path) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    assert refusal() is None


@pytest.mark.parametrize(
    "text",
    ["images: of another form\n", "[", "\0", "{}", "images: {sutra-api: {budget: {installed: 1}}}"],
)
def test_an_earlier_version_of_another_form_is_passed_over(repository: Path, text: str) -> None:
    commit(repository, text)
    (repository / "images.yaml").write_text(RAISED)
    assert refusal() == REFUSAL
    (repository / "images.yaml").write_text(CATALOG)
    assert refusal() is None


def test_a_later_commit_hides_no_raise(repository: Path) -> None:
    commit(repository, RAISED)
    commit(repository, RAISED + "# a comment\n")
    assert refusal() == REFUSAL
    commit(repository, RAISED.replace("  sutra-api", "  sutra-other"))
    commit(repository, RAISED)
    assert refusal() == REFUSAL


def test_the_lowest_counts_not_the_last(repository: Path) -> None:
    commit(repository, CATALOG.replace("3 MB", "9 MB"))
    commit(repository, CATALOG.replace("3 MB", "4 MB"))
    assert refusal() == (REFUSAL[0].replace("3.1", "4.0"), REFUSAL[1])


def test_the_next_raise_takes_a_new_reason(repository: Path) -> None:
    commit(repository, WITH_REASON)
    again = WITH_REASON.replace("3.1 MB", "99 MB")
    (repository / "images.yaml").write_text(again)
    message = 'images.yaml: images.sutra-api.budget.installed: raised "99.0 MB", it was 3.1 MB'
    tip = "give a new reason in images.sutra-api.budget.because, or lower it again"
    assert refusal() == (message, tip)
    commit(repository, again)
    commit(repository, again + "# a comment\n")
    assert refusal() == (message, tip)
    commit(repository, again.replace("a model", "two models"))
    assert refusal() is None


def test_a_reason_taken_out_and_given_again_is_not_a_new_one(repository: Path) -> None:
    commit(repository, WITH_REASON)
    commit(repository, RAISED)
    assert refusal() is None
    commit(repository, WITH_REASON.replace("3.1 MB", "99 MB"))
    assert refusal() == (
        'images.yaml: images.sutra-api.budget.installed: raised "99.0 MB", it was 3.1 MB',
        "give a new reason in images.sutra-api.budget.because, or lower it again",
    )


def test_a_branch_that_is_merged_is_held_against_where_it_came_to(repository: Path) -> None:
    subprocess.run(["git", "checkout", "-q", "-b", "side"], check=True)
    commit(repository, CATALOG.replace("3 MB", "1 MB"))
    commit(repository, CATALOG.replace("3 MB", "2.9 MB"))
    assert refusal() == (
        'images.yaml: images.sutra-api.budget.installed: raised "2.9 MB", it was 1.0 MB',
        REFUSAL[1],
    )
    subprocess.run(["git", "checkout", "-q", "-"], check=True)
    subprocess.run(["git", "merge", "-q", "--no-ff", "-m", "x", "side"], check=True)
    assert refusal() is None


# ---- where git cannot tell ---------------------------------------------------

CANNOT = "images.yaml: budgets: cannot check whether one was raised: "
GO_ON = "; ALLOW_UNCOMPARED=1 skips the comparison"
REPAIR = "repair the repository (`git fsck` says more) or clone it again"
AGAIN = ", then run the same command again" + GO_ON


@pytest.fixture
def raised(repository: Path) -> Path:
    """A repository with a committed raise."""
    commit(repository, RAISED)
    return repository


def uncompared(capfd: pytest.CaptureFixture[str]) -> str:
    """Return the output when the knob lets the check go on without a comparison."""
    capfd.readouterr()
    budget_history.refuse_raises(catalog.load(), allow_uncompared=True)
    out, err = capfd.readouterr()
    assert out == ""
    return err


def test_a_shallow_clone_that_may_hide_a_raise_is_refused(
    raised: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    shallow, whole = (tmp_path_factory.mktemp("clones") / name for name in ("shallow", "whole"))
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{raised}", shallow], check=True)
    subprocess.run(["git", "clone", "-q", f"file://{raised}", whole], check=True)
    monkeypatch.chdir(shallow)
    message = CANNOT + 'a shallow clone has "1" versions of the file'
    assert refusal() == (message, "`git fetch --unshallow` gets all" + AGAIN)
    assert uncompared(capfd) == message + "\n"
    monkeypatch.chdir(whole)
    assert refusal() == REFUSAL


def test_a_shallow_clone_with_as_many_versions_as_are_compared_hides_nothing(
    raised: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(budget_history, "VERSIONS", 2)
    commit(raised, RAISED + "# a comment\n")
    shallow = tmp_path_factory.mktemp("clones") / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=2", f"file://{raised}", shallow], check=True)
    monkeypatch.chdir(shallow)
    assert refusal() is None


def test_the_knob_waives_no_raise_that_git_can_tell(raised: Path) -> None:
    with pytest.raises(SutraError) as caught:
        budget_history.refuse_raises(catalog.load(), allow_uncompared=True)
    assert (caught.value.message, caught.value.tip) == REFUSAL


def test_without_git_a_repository_is_refused(
    raised: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    message = CANNOT + "git symbolic-ref HEAD: git does not run: No such file or directory"
    assert refusal() == (message, "install git" + AGAIN)
    assert uncompared(capfd) == message + "\n"


def test_a_checkout_of_another_owner_is_refused(
    raised: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert refusal() == (
        f"{CANNOT}git symbolic-ref HEAD: detected dubious ownership in repository at '{raised}'",
        f"`git config --global --add safe.directory {raised}`{AGAIN}",
    )


def test_a_version_that_the_repository_lost_is_refused(raised: Path) -> None:
    done = subprocess.run(
        ["git", "rev-parse", "HEAD~1:images.yaml", "HEAD~1"],
        capture_output=True,
        text=True,
        check=True,
    )
    blob, first = done.stdout.split()
    (raised / ".git/objects" / blob[:2] / blob[2:]).unlink()
    assert refusal() == (
        f"{CANNOT}git cat-file {first[:12]}:images.yaml: missing from the repository",
        REPAIR + AGAIN,
    )


def test_a_damaged_pack_is_refused(raised: Path) -> None:
    subprocess.run(["git", "gc", "-q"], check=True)
    [pack] = (raised / ".git/objects/pack").glob("*.pack")
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes()[:40])
    problem = refusal()
    assert problem is not None
    assert problem[0].startswith(CANNOT + "git ")
    assert problem[1] == REPAIR + AGAIN


def test_a_commit_that_removed_the_file_hides_nothing(repository: Path) -> None:
    subprocess.run(["git", "rm", "-q", "images.yaml"], check=True)
    subprocess.run(["git", "commit", "-q", "-m", "x"], check=True)
    commit(repository, RAISED)
    assert refusal() == REFUSAL


def test_a_signature_that_git_is_set_to_show_is_not_a_version(raised: Path) -> None:
    subprocess.run(["git", "config", "log.showSignature", "true"], check=True)
    assert refusal() == REFUSAL


def test_a_branch_without_a_commit_beside_others_is_refused(
    raised: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["git", "symbolic-ref", "HEAD", "refs/heads/nowhere"], check=True)
    message = CANNOT + "this branch has no commit, and others have"
    assert refusal() == (message, "`git switch` to one that has" + AGAIN)
    assert uncompared(capfd).splitlines() == [message]


def orphan(folder: Path, text: str) -> None:
    """Begin the branch "anew", which shares no commit with the others."""
    subprocess.run(["git", "switch", "-q", "--orphan", "anew"], check=True)
    commit(folder, text)


@pytest.mark.parametrize("kind", ["branch", "tag", "remote"])
def test_a_branch_that_begins_anew_is_held_against_the_others(repository: Path, kind: str) -> None:
    subprocess.run(["git", "branch", "-q", "-m", "main"], check=True)
    orphan(repository, RAISED)
    if kind != "branch":
        name = {"tag": "tags/1.0.0", "remote": "remotes/origin/main"}[kind]
        subprocess.run(["git", "update-ref", f"refs/{name}", "main"], check=True)
        subprocess.run(["git", "branch", "-q", "-D", "main"], check=True)
    commit(repository, RAISED + "# later\n")
    assert refusal() == REFUSAL
    (repository / "images.yaml").write_text(WITH_REASON)
    assert refusal() is None


def test_a_branch_without_the_file_is_nothing_to_compare_with(repository: Path) -> None:
    subprocess.run(["git", "switch", "-q", "--orphan", "pages"], check=True)
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    pages = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    subprocess.run(["git", "tag", "words", f"{pages.stdout.strip()}^{{tree}}"], check=True)
    orphan(repository, CATALOG)
    assert refusal() is None


def test_a_branch_of_a_feature_is_not_what_was_before(repository: Path) -> None:
    subprocess.run(["git", "switch", "-q", "-c", "feature"], check=True)
    commit(repository, CATALOG.replace("installed: 3 MB", "installed: 2.5 MB"))
    subprocess.run(["git", "switch", "-q", "-"], check=True)
    assert refusal() is None


def test_an_old_branch_is_held_against_its_own_commits_alone(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_history, "VERSIONS", 2)
    orphan(repository, RAISED)
    assert refusal() == REFUSAL
    commit(repository, RAISED + "# later\n")
    assert refusal() is None


def test_a_replaced_commit_hides_no_raise(raised: Path) -> None:
    subprocess.run(["git", "replace", "-f", "HEAD~1", "HEAD"], check=True)
    assert refusal() == REFUSAL


@pytest.mark.parametrize("output", ["", "garbage", "0123"])
def test_a_git_that_answers_no_commit_is_refused(
    raised: Path, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(raised / "bin", "git", f"echo {output}\n")
    monkeypatch.setenv("PATH", str(raised / "bin"))
    message = f'{CANNOT}git rev-parse HEAD: no commit\'s name "{output}"'
    assert refusal() == (message, REPAIR + AGAIN)


@pytest.mark.parametrize("words", [[], ["init", "-q"]], ids=["no repository", "no commit"])
def test_where_nothing_is_committed_that_is_printed(
    folder: Path, capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    if words:
        subprocess.run(["git", *words], check=True)
    assert refusal() is None
    assert capfd.readouterr() == (
        "",
        "images.yaml: budgets: not compared with earlier ones, no commit\n",
    )


@pytest.mark.parametrize("words", [["verify-sizes"], ["verify"]])
def test_the_argument_of_the_commands_is_the_knob(
    raised: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    for arguments, message in ([], CANNOT), (["--allow-uncompared"], "engine: no answer "):
        with pytest.raises(SutraError) as caught:
            front_door([*words, *arguments])
        assert caught.value.message.startswith(message)


def test_the_pipeline_fetches_the_history() -> None:
    """The checkout action fetches one commit by default; with that the check could never fail."""
    workflow = Path(__file__).parents[3] / ".github/workflows/build.yml"
    steps = yaml.safe_load(workflow.read_text())["jobs"]["images"]["steps"]
    (checkout,) = (step for step in steps if step.get("uses", "").startswith("actions/checkout@"))
    assert checkout["with"]["fetch-depth"] == 0
