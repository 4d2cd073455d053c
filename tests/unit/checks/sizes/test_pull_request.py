"""The summary that a pull request gets of its sizes, as a whole text."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.checks.sizes import blame, causes, pull_request, recorded
from scripts.checks.sizes.pull_request import Comparison
from scripts.common import errors
from scripts.common.errors import SutraError
from scripts.history import size_records
from scripts.report import github
from scripts.report import pull_request as report
from tests.unit.checks.sizes.pull_requests import (
    API,
    BASE,
    BEFORE,
    MB,
    PullRequest,
    build,
    catalog,
    copied,
    in_folder,
    opened,
    ours,
    package,
    push_sizes,
    write_record,
)
from tests.unit.fakes import FakeEngine, run_git, tar_of

UPGRADED = package("1.1", 2 * MB)
OTHER = package("1.0", MB, name="curl")


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pull request that tests copy, as git takes half a second for each."""
    place = tmp_path_factory.mktemp("pull-request")
    opened(FakeEngine(), place)
    return place


@pytest.fixture
def pull(
    engine: FakeEngine, original: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> PullRequest:
    return clone(copied(engine, folder, original), folder, monkeypatch)


def clone(request: PullRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> PullRequest:
    monkeypatch.chdir(folder / "clone")
    return request


def summary(compared: Comparison) -> str:
    return github.summary(compared.results, report.markdown(compared))


def failed(compared: Comparison) -> Sequence[str]:
    return [result.detail for result in compared.results if not result.ok]


def packed(compared: Comparison, image: str) -> str:
    """Return how a download changed: what a layer packs to is zlib-ng's business."""
    (growth,) = (
        change for change in compared.changes if (change.image, change.size) == (image, "download")
    )
    return f"0.0 MB | 0.0 MB | {growth.change:+} bytes | {growth.authors:+} bytes"


def test_what_the_author_caused_fails(pull: PullRequest) -> None:
    images = {**BEFORE, API: [package("1.0", MB), ours(3 * MB)]}
    compared = pull.compare(images, catalog(3 * MB))
    since = f"main ({pull.base[:7]})"
    assert (
        summary(compared)
        == f"""\
## Sutra: 1 of 6 checks failed

~~~~text
images.yaml: images.sutra-api.budget.installed: over budget "4.0 MB", 3.0 MB allowed (+1.0 MB): \
since {since} +2.0 MB, +2.0 MB by this change: ours {pull.base[:7]} → bbbbbbb +2.0 MB; \
by cause: ours: +2.0 MB
~~~~

| image | installed | budget | download | budget | ok |
|---|--:|--:|--:|--:|---|
| sutra-base | 1.0 MB | 10.0 MB | 0.0 MB | 10.0 MB | ok |
| sutra-api | 4.0 MB | 3.0 MB | 0.0 MB | 10.0 MB | OVER |
| release (shared layers once) | 4.0 MB | 10.0 MB | 0.0 MB | 10.0 MB | ok |

### Sizes since {since}

| image | size | before | now | change | by this change | what |
|---|--:|--:|--:|--:|--:|---|
| sutra-api | installed | 2.0 MB | 4.0 MB | +2.0 MB | +2.0 MB | ours: +2.0 MB |
| sutra-api | download | {packed(compared, API)} | unpacked: ours: +2.0 MB |
| release | installed | 2.0 MB | 4.0 MB | +2.0 MB | +2.0 MB | ours: +2.0 MB |
| release | download | {packed(compared, "release")} | unpacked: ours: +2.0 MB |
"""
    )


def test_growth_that_upstream_caused_is_reported_and_fails_nothing(pull: PullRequest) -> None:
    images = {BASE: [UPGRADED], API: [UPGRADED, ours(MB + 1000)]}
    compared = pull.compare(images, catalog(2_500_000))
    since = f"main ({pull.base[:7]})"
    base = "the base's, its digest has changed: +1.0 MB; ours: +1000 bytes"
    package = "the distribution's, a package has changed: +1.0 MB"
    assert (
        summary(compared)
        == f"""\
## Sutra: All 6 checks passed

| image | installed | budget | download | budget | ok |
|---|--:|--:|--:|--:|---|
| sutra-base | 2.0 MB | 10.0 MB | 0.0 MB | 10.0 MB | ok |
| sutra-api | 3.0 MB | 2.5 MB | 0.0 MB | 10.0 MB | allowed |
| release (shared layers once) | 3.0 MB | 10.0 MB | 0.0 MB | 10.0 MB | ok |

Exceptions, each with its reason:

~~~~text
images.yaml: images.sutra-api.budget.installed: over budget "3.0 MB", 2.5 MB allowed (+0.5 MB): \
since {since} +1.0 MB, not by this change: zlib 1.0 → 1.1 +1.0 MB, \
ours {pull.base[:7]} → bbbbbbb +1000 bytes; \
by cause: {base}
~~~~

### Sizes since {since}

| image | size | before | now | change | by this change | what |
|---|--:|--:|--:|--:|--:|---|
| sutra-base | installed | 1.0 MB | 2.0 MB | +1.0 MB | +0 bytes | {package} |
| sutra-base | download | {packed(compared, BASE)} | unpacked: {package} |
| sutra-api | installed | 2.0 MB | 3.0 MB | +1.0 MB | +1000 bytes | {base} |
| sutra-api | download | {packed(compared, API)} | unpacked: {base} |
| release | installed | 2.0 MB | 3.0 MB | +1.0 MB | +1000 bytes | {package}; ours: +1000 bytes |
| release | download | {packed(compared, "release")} | unpacked: {package}; ours: +1000 bytes |
"""
    )


def test_where_nothing_changed_there_is_no_word_about_it(pull: PullRequest) -> None:
    assert (
        summary(pull.compare(BEFORE, catalog(3 * MB)))
        == """\
## Sutra: All 6 checks passed

| image | installed | budget | download | budget | ok |
|---|--:|--:|--:|--:|---|
| sutra-base | 1.0 MB | 10.0 MB | 0.0 MB | 10.0 MB | ok |
| sutra-api | 2.0 MB | 3.0 MB | 0.0 MB | 10.0 MB | ok |
| release (shared layers once) | 2.0 MB | 10.0 MB | 0.0 MB | 10.0 MB | ok |
"""
    )


# ---- whose fault it is -------------------------------------------------------

# both sizes of the API on main: a package and its records, and a file of ours
INSTALLED = 2 * MB + len(b"Package: zlib\nVersion: 1.0\n0  usr/lib/libz.so\n")


@pytest.mark.parametrize(("more", "failures"), [(1000, 0), (1001, 1)])
def test_the_authors_part_may_be_as_large_as_the_budget(
    pull: PullRequest, more: int, failures: int
) -> None:
    images = {BASE: [UPGRADED], API: [UPGRADED, ours(MB + more)]}
    assert len(failed(pull.compare(images, catalog(INSTALLED + 1000)))) == failures


@pytest.mark.parametrize(("size", "failures"), [(MB, 0), (MB - 1, 0), (MB + 1, 1)])
def test_over_budget_on_main_fails_only_who_makes_it_worse(
    pull: PullRequest, size: int, failures: int
) -> None:
    images = {**BEFORE, API: [package("1.0", MB), ours(size)]}
    assert len(failed(pull.compare(images, catalog(MB)))) == failures


@pytest.mark.parametrize(
    ("layers", "whose"),
    [
        ([package("1.1", 2 * MB), ours(MB)], "not by this change"),
        ([package("1.0", 2 * MB), ours(MB)], "+1.0 MB by this change"),  # cleaned otherwise
        ([package("1.0", MB), ours(MB), tar_of({"opt/x": b"x" * MB})], "+1.0 MB by this change"),
        ([package("1.0", MB), ours(MB), OTHER], "+1.0 MB by this change"),
    ],
)
def test_only_another_version_of_a_package_is_upstreams(
    pull: PullRequest, layers: list[bytes], whose: str
) -> None:
    compared = pull.compare({**BEFORE, API: layers}, catalog(2_500_000))
    (result,) = (
        candidate
        for candidate in compared.results
        if (candidate.image, candidate.name) == (API, "installed")
    )
    assert whose in result.detail
    assert result.ok == (whose == "not by this change")


def with_idna(version: str, size: int) -> recorded.Layer:
    """Return a layer with one Python distribution."""
    part = recorded.Part("python", "idna", version, size, f"{version} {size}")
    return recorded.Layer(size, size, (part,))


def test_a_lock_of_one_service_alone_is_the_cause_for_the_release_too() -> None:
    """The version that another service has stays, and is in both releases."""
    old, new = with_idna("3.20", MB), with_idna("3.10", 3 * MB)
    before = recorded.Sizes({"a": old, "b": old}, {"api": ("a",), "hybrid": ("b",)})
    after = recorded.Sizes({"c": new, "b": old}, {"api": ("c",), "hybrid": ("b",)})
    changes = [growth for growth in blame.changes(before, after) if growth.size == "installed"]
    grown = ((causes.LOCK, 2 * MB),)
    assert {growth.image: growth.unpacked for growth in changes} == {
        "api": grown,
        "hybrid": (),
        "release": grown,
    }
    assert changes[2].owners[0].label == "idna 3.20 → 3.10, 3.20"


def test_an_image_that_main_does_not_have_is_the_authors(
    engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = clone(opened(engine, folder, before={BASE: BEFORE[BASE]}), folder, monkeypatch)
    compared = pull.compare(BEFORE, catalog(MB))
    (line,) = failed(compared)
    assert line.startswith('images.yaml: images.sutra-api.budget.installed: over budget "2.0 MB"')


@pytest.mark.parametrize(
    ("layer", "fails"),
    [(package("1.1", MB), False), (package("1.0", MB, b"y"), True)],
)
def test_bytes_that_pack_worse_are_of_whose_files_changed(
    pull: PullRequest, layer: bytes, fails: bool
) -> None:
    """Nothing grew unpacked."""
    noise = tar_of({"app/model.bin": bytes(random.Random(1).randbytes(MB))})  # noqa: S311 - bytes
    layers = [layer, noise] if fails else [layer, ours(MB)]
    download = sum(change.after for change in pull.compare(BEFORE, catalog(MB)).changes)
    assert download == 0
    compared = pull.compare({**BEFORE, API: layers}, catalog(3 * MB, 1))
    (result,) = (
        candidate
        for candidate in compared.results
        if (candidate.image, candidate.name) == (API, "download")
    )
    assert result.ok is not fails


NOISE = random.Random(1).randbytes(MB)  # noqa: S311 - bytes that do not pack


@pytest.mark.parametrize(
    ("base", "own"),
    [
        # a file of equal size that packs worse, beside a package of one byte more
        (package("1.1", MB + 1), [tar_of({"app/model.bin": NOISE})]),
        # the same in a layer of the base, or without a base
        (None, [package("1.1", MB + 1), tar_of({"app/model.bin": NOISE})]),
        # a file of ours that grew by as much as another one shrank
        (
            package("1.1", MB + 1),
            [tar_of({"app/model.bin": b"", "app/noise.bin": NOISE})],
        ),
    ],
)
def test_a_package_that_grew_does_not_excuse_what_the_author_packs_worse(
    pull: PullRequest, base: bytes | None, own: list[bytes]
) -> None:
    images = {**BEFORE, API: [*([base] if base else []), *own]}
    if base:
        images[BASE] = [base]
    compared = pull.compare(images, catalog(3 * MB, 100_000))
    (result,) = (
        candidate
        for candidate in compared.results
        if (candidate.image, candidate.name) == (API, "download")
    )
    assert not result.ok
    (growth,) = (
        change for change in compared.changes if (change.image, change.size) == (API, "download")
    )
    assert growth.change > MB * 99 // 100
    assert growth.authors > (MB * 98 // 100 if base else MB // 4)


def test_a_line_of_ours_is_not_blamed_for_a_base_that_grew(pull: PullRequest) -> None:
    """The author's layer packs to some bytes more, the base's to a million."""
    grown = tar_of(
        {
            "usr/lib/zlib.so": NOISE,
            "var/lib/dpkg/status.d/zlib": b"Package: zlib\nVersion: 1.1\n",
            "var/lib/dpkg/status.d/zlib.md5sums": b"0  usr/lib/zlib.so\n",
        }
    )
    own = tar_of({"app/model.bin": b"y" * MB})
    compared = pull.compare({BASE: [grown], API: [grown, own]}, catalog(3 * MB, 100_000))
    (result,) = (
        candidate
        for candidate in compared.results
        if (candidate.image, candidate.name) == (API, "download")
    )
    assert result.ok
    (growth,) = (
        change for change in compared.changes if (change.image, change.size) == (API, "download")
    )
    assert growth.change > MB * 99 // 100
    assert abs(growth.authors) < 100


# ---- what cannot be compared -------------------------------------------------


def test_a_push_is_compared_with_nothing(pull: PullRequest) -> None:
    assert pull.compare(BEFORE, catalog(3 * MB), GITHUB_BASE_REF="") == Comparison(
        pull.compare(BEFORE, catalog(3 * MB)).results
    )


def test_without_a_record_everything_over_budget_fails(
    engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = clone(opened(engine, folder, before={}), folder, monkeypatch)
    compared = pull.compare(BEFORE, catalog(MB))
    assert failed(compared) == [
        'images.yaml: images.sutra-api.budget.installed: over budget "2.0 MB", '
        "1.0 MB allowed (+1.0 MB): no promoted image to compare with"
    ]
    assert report.markdown(compared) == (
        "Sizes are not compared:\n\n~~~~text\n"
        'sizes: origin/sutra-sizes has no record of "main" yet: every size over its budget fails\n'
        "~~~~"
    )


def test_a_record_of_an_earlier_commit_says_how_far_behind_it_is(
    engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = clone(opened(engine, folder, later=2), folder, monkeypatch)
    compared = pull.compare({**BEFORE, API: [package("1.0", MB), ours(3 * MB)]}, catalog(3 * MB))
    assert compared.since == f"main ({pull.base[:7]}, 2 commits behind)"
    assert len(failed(compared)) == 1


def test_a_fork_reads_the_same_record(
    engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner's checkout is of the upstream; the fork's commits come as a ref of it."""
    request = opened(engine, folder)
    run_git("clone", "--quiet", "--bare", "upstream.git", "fork.git")
    in_folder(folder / "clone", "push", "--quiet", str(folder / "fork.git"), "HEAD:refs/heads/main")
    run_git("clone", "--quiet", "--branch", "main", "upstream.git", "runner")
    in_folder(folder / "runner", "fetch", "--quiet", str(folder / "fork.git"), "main")
    in_folder(folder / "runner", "checkout", "--quiet", "--detach", "FETCH_HEAD")
    monkeypatch.chdir(folder / "runner")
    compared = request.compare(BEFORE, catalog(3 * MB))
    assert (compared.since, compared.changes) == (f"main ({request.base[:7]})", [])


SKIPS = "; ALLOW_UNCOMPARED=1 leaves out the comparison"
FETCH = "`git fetch --unshallow origin`, or fetch-depth: 0 of actions/checkout, gets it" + SKIPS


def refused(pull: PullRequest, **environment: str) -> SutraError:
    """Return the refusal, which ALLOW_UNCOMPARED turns into a line; budgets hold all the same."""
    with pytest.raises(SutraError) as caught:
        pull.compare(BEFORE, catalog(MB), **environment)
    skipped = pull.compare(BEFORE, catalog(MB), ALLOW_UNCOMPARED="1", **environment)
    assert skipped.uncompared == caught.value.message
    assert len(failed(skipped)) == 1
    return caught.value


def test_a_base_branch_that_is_not_there_is_refused(pull: PullRequest) -> None:
    error = refused(pull, GITHUB_BASE_REF="release/1")
    assert error.message == 'GITHUB_BASE_REF: no such branch "origin/release/1"'
    assert error.tip == FETCH


def test_a_base_branch_without_a_common_commit_is_refused(pull: PullRequest, folder: Path) -> None:
    in_folder(folder / "clone", "checkout", "--quiet", "--orphan", "alone")
    in_folder(folder / "clone", "commit", "--allow-empty", "-m", "alone")
    error = refused(pull)
    assert error.message == (
        'GITHUB_BASE_REF: this branch has no commit in common with "origin/main"'
    )
    assert error.tip == FETCH


def test_a_base_branch_that_git_cannot_read_is_refused(pull: PullRequest, folder: Path) -> None:
    for pack in (folder / "clone/.git/objects").glob("*/*"):
        pack.chmod(0o644)
        pack.write_bytes(b"")
    assert refused(pull).message.startswith('GITHUB_BASE_REF: cannot read "origin/main": git ')


def test_a_folder_in_no_repository_is_refused(
    pull: PullRequest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert refused(pull).message.startswith('GITHUB_BASE_REF: cannot read "origin/main": git ')


# installed, bytes of the one part, images and bases
LAYER = (
    '{"form": 1, "layers": {"x": {"installed": %s, "download": 1, "parts": [{"kind": "ours", '
    '"name": "n", "version": "1", "bytes": %s, "mark": "m"}]}}, "images": {"a": %s}, "bases": %s}'
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("[]", "a field is missing or of another type"),
        ('{"form": 2}', 'unknown form "2"'),
        (json.dumps({"form": "x" * 101}), f'unknown form "{"x" * 100}"'),
        (LAYER % ("1", "2", "[]", '"x"'), "a field is missing or of another type"),
        (LAYER % ("1", "2", '["x"]', '"x"'), "a field is missing or of another type"),
        (LAYER % ("1", "2", '"x"', '["x"]'), "a field is missing or of another type"),
        (LAYER % ("1", f"{1 << 60}", '["x"]', '["x"]'), "a field is missing or of another type"),
        (LAYER % ("1", "-1", '["x"]', '["x"]'), "a field is missing or of another type"),
        (LAYER % ("1", "2", '["x"]', '["x"]'), "the parts of a layer do not add up to it"),
        ('{"form": 1, "layers": {}, "images": {"a": ["x"]}, "bases": []}', "a layer is missing"),
        (
            '{"form": 1, "layers": {"x": {"installed": true, "download": 1, "parts": []}}, '
            '"images": {}, "bases": []}',
            "a field is missing or of another type",
        ),
        ("[" * 100_000, "a field is missing or of another type"),
    ],
)
def test_a_record_of_another_form_is_refused(
    pull: PullRequest, folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    monkeypatch.chdir(folder / "main")
    file = next((folder / "main/.build/sizes").rglob("*.json"))
    file.write_text(text)
    assert push_sizes(folder / "main").returncode == 0
    monkeypatch.chdir(folder / "clone")
    in_folder(folder / "clone", "fetch", "--quiet")
    error = refused(pull)
    assert error.message == (
        f"origin/sutra-sizes:debian/{pull.base}.json: not a record of sizes: {problem}"
    )
    assert error.tip == "the next push to main records its sizes again" + SKIPS


def test_the_smallest_record_is_read() -> None:
    sizes = recorded.parse(LAYER % ("2", "2", '["x"]', '["x"]'))
    assert (sizes.total("a", "installed"), sizes.bases) == (2, frozenset({"x"}))


def test_a_record_of_no_sensible_size_is_not_read(
    pull: PullRequest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = next((folder / "main/.build/sizes").rglob("*.json")).stat().st_size
    monkeypatch.setattr(size_records, "LARGEST", size)
    assert pull.compare(BEFORE, catalog(3 * MB)).since == f"main ({pull.base[:7]})"
    monkeypatch.setattr(size_records, "LARGEST", size - 1)
    error = refused(pull)
    assert error.message == (
        f"origin/sutra-sizes:debian/{pull.base}.json: not a record of sizes: "
        f"more than {size - 1} bytes"
    )
    assert error.tip == "the next push to main records its sizes again" + SKIPS


@pytest.mark.parametrize("name", ["mäin", "a\u3000b", b"m\xe4in", "x'y\"z$(id)", "-"])
def test_a_base_branch_may_have_any_name_that_git_allows(
    pull: PullRequest, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str | bytes
) -> None:
    branch = os.fsdecode(name)
    in_folder(folder / "main", "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
    in_folder(folder / "clone", "fetch", "--quiet")
    compared = pull.compare(BEFORE, catalog(3 * MB), GITHUB_BASE_REF=branch)
    assert compared.since == f"{branch} ({pull.base[:7]})"


@pytest.mark.parametrize("name", ["*", "mai?", "main/", "/main", " ", "main\n", "../main"])
def test_a_pattern_is_no_base_branch(pull: PullRequest, name: str) -> None:
    assert refused(pull, GITHUB_BASE_REF=name).tip == FETCH


# ---- the command --------------------------------------------------------------

PROMISES = """\
release: {budget: {installed: 10 MB, download: 10 MB}}
images:
  sutra-base: {budget: {installed: 10 MB, download: 10 MB}}
  sutra-api: {budget: {installed: LIMIT, download: 10 MB}}
"""


@pytest.mark.parametrize(
    ("base", "size", "code", "lines"),
    [
        ("main", MB, 0, 0),
        ("main", 3 * MB, 1, 0),
        ("", MB, 1, 0),  # a push: over budget is over budget
        ("other", MB, 2, 2),
    ],
)
def test_verify_sizes_in_a_pull_request(
    pull: PullRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    base: str,
    size: int,
    code: int,
    lines: int,
) -> None:
    Path("images.yaml").write_text(PROMISES.replace("LIMIT", "2500 kB"))
    build(pull.engine, {BASE: [UPGRADED], API: [UPGRADED, ours(size)]}, "b" * 40)
    monkeypatch.setattr("scripts.engine.client.connect", lambda: pull.engine)
    monkeypatch.setenv("GITHUB_BASE_REF", base)
    with pytest.raises(SystemExit) as ended:
        errors.run(lambda: front_door(["verify-sizes", "--format", "github"]))
    assert ended.value.code == code
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == lines
    assert ("### Sizes since main" in out) == (base == "main")


def test_why_nothing_was_compared_is_on_stderr_too(
    engine: FakeEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pull = clone(opened(engine, folder, before={}), folder, monkeypatch)
    Path("images.yaml").write_text(PROMISES.replace("LIMIT", "10 MB"))
    build(pull.engine, BEFORE, "b" * 40)
    monkeypatch.setattr("scripts.engine.client.connect", lambda: pull.engine)
    monkeypatch.setenv("GITHUB_BASE_REF", "main")
    assert front_door(["verify-sizes", "--format", "github"]) == 0
    out, err = capsys.readouterr()
    line = 'sizes: origin/sutra-sizes has no record of "main" yet: every size over its budget fails'
    assert err == f"{line}\n"
    assert out.endswith(f"Sizes are not compared:\n\n~~~~text\n{line}\n~~~~\n\n")


# ---- recording ----------------------------------------------------------------


def test_a_record_is_the_same_for_the_same_images(engine: FakeEngine, folder: Path) -> None:
    build(engine, BEFORE, "a" * 40)
    text = pull_request.recorded_text(engine, catalog(MB), "a" * 40)
    assert text == pull_request.recorded_text(engine, catalog(MB), "a" * 40)
    assert list(recorded.parse(text).images) == [BASE, API]


def test_images_of_another_commit_are_not_recorded(engine: FakeEngine, folder: Path) -> None:
    build(engine, BEFORE, "a" * 40)
    with pytest.raises(SutraError) as caught:
        pull_request.recorded_text(engine, catalog(MB), "b" * 40)
    assert caught.value.message == (
        f'record-sizes: sutra-base:prod was built from another commit "{"a" * 40}"'
    )


def test_an_image_that_is_not_built_is_not_recorded(engine: FakeEngine, folder: Path) -> None:
    with pytest.raises(SutraError) as caught:
        pull_request.recorded_text(engine, catalog(MB), "b" * 40)
    assert caught.value.message == 'images.yaml: images.sutra-base: not built "sutra-base:prod"'


def test_changes_that_no_commit_names_are_not_recorded(
    engine: FakeEngine, repository: Path
) -> None:
    (repository / "file").write_text("2")
    with pytest.raises(SutraError) as caught:
        pull_request.record(engine, catalog(MB))
    assert caught.value.message == "record-sizes: no clean commit names these images"


def test_the_command_writes_what_the_script_pushes(
    engine: FakeEngine,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commit = run_git("rev-parse", "HEAD")
    (repository / ".git/info/exclude").write_text("images.yaml\n.build\n.cache\n")
    (repository / "images.yaml").write_text(
        "release: {budget: {installed: 1 MB, download: 1 MB}}\n"
        "images: {sutra-base: {budget: {installed: 1 MB, download: 1 MB}}}\n"
    )
    build(engine, {BASE: BEFORE[BASE]}, commit)
    monkeypatch.setattr("scripts.engine.client.connect", lambda: engine)
    assert front_door(["record-sizes"]) == 0
    assert capsys.readouterr().out == f".build/sizes/debian/{commit}.json\n"
    run_git("init", "--bare", "upstream.git")
    run_git("remote", "add", "origin", "upstream.git")
    done = push_sizes(repository)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"push_sizes: in sutra-sizes: debian/{commit}.json\n"
    shown = in_folder(repository / "upstream.git", "show", f"sutra-sizes:debian/{commit}.json")
    assert shown == Path(f".build/sizes/debian/{commit}.json").read_text().strip()


def test_what_the_branch_has_stays(engine: FakeEngine, folder: Path) -> None:
    request = opened(engine, folder)
    write_record(engine, folder / "main", "c" * 40, BEFORE)
    (folder / "main/.build/sizes/debian" / f"{request.base}.json").unlink()
    assert push_sizes(folder / "main").returncode == 0
    listed = in_folder(folder / "upstream.git", "ls-tree", "-r", "--name-only", "sutra-sizes")
    assert listed.split() == sorted(f"debian/{commit}.json" for commit in (request.base, "c" * 40))
    assert in_folder(folder / "main", "status", "--porcelain") == "?? .build/"


def test_records_that_are_pushed_at_once_are_all_kept(engine: FakeEngine, folder: Path) -> None:
    request = opened(engine, folder)
    commits = [letter * 40 for letter in "cde"]
    for commit in commits:
        run_git("clone", "--quiet", "--branch", "main", "upstream.git", commit)
        write_record(engine, folder / commit, commit, BEFORE)
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(push_sizes, (folder / commit for commit in commits)))
    assert [(process.returncode, process.stderr) for process in done] == [(0, "")] * 3
    listed = in_folder(folder / "upstream.git", "ls-tree", "-r", "--name-only", "sutra-sizes")
    assert listed.split() == sorted(f"debian/{name}.json" for name in (request.base, *commits))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], 'push_sizes: no record in "nowhere"\ntip: run `make record-sizes` first\n'),
        (
            [".build/sizes", "nobody"],
            "push_sizes: cannot read \"nobody\": fatal: 'nobody' does not appear to be a git "
            "repository\ntip: `git remote -v` names it\n",
        ),
    ],
)
def test_a_branch_that_cannot_be_pushed_is_reported(
    engine: FakeEngine, folder: Path, words: list[str], said: str
) -> None:
    opened(engine, folder)
    done = push_sizes(folder / "main", *words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_a_branch_that_cannot_be_fetched_is_reported(engine: FakeEngine, folder: Path) -> None:
    opened(engine, folder)
    write_record(engine, folder / "main", "c" * 40, BEFORE)
    commit = in_folder(folder / "upstream.git", "rev-parse", "sutra-sizes")
    damaged = folder / f"upstream.git/objects/{commit[:2]}/{commit[2:]}"
    damaged.chmod(0o644)
    damaged.write_bytes(b"")
    in_folder(folder / "main", "update-ref", "-d", "refs/remotes/origin/sutra-sizes")
    (folder / f"main/.git/objects/{commit[:2]}/{commit[2:]}").unlink()
    done = push_sizes(folder / "main")
    assert (done.returncode, done.stdout) == (2, "")
    problem, tip = done.stderr.splitlines()
    assert problem.startswith('push_sizes: cannot fetch from "origin": ')
    assert tip == "tip: run it again, or repair that branch"


def test_a_remote_that_takes_no_push_is_reported(engine: FakeEngine, folder: Path) -> None:
    opened(engine, folder)
    hook = folder / "upstream.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    write_record(engine, folder / "main", "c" * 40, BEFORE)
    done = push_sizes(folder / "main")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('push_sizes: cannot push to "origin": ')
    assert done.stderr.endswith("\ntip: a workflow needs `permissions: contents: write`\n")
