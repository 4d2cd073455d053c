"""Test the words about what changed since the last promotion."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Image
from scripts.common.labels import REVISION
from scripts.history import ledger
from scripts.image.inventory import Inventory, read
from scripts.report.html import since_promoted
from scripts.report.html.since_promoted import LARGEST, NEVER, Because, Since
from tests.unit.checks.sizes.test_causes import MORE, NUMPY, OURS, package
from tests.unit.checks.sizes.test_growth import MB, distribution, promoted
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

API = Image("sutra-api", Budget(4 * MB, 4 * MB))
BASE = Image("sutra-base-python", Budget(4 * MB, 4 * MB), "builders start from it")


def add(
    engine: FakeEngine, cache: Path, layers: list[bytes], *tags: str, commit: str = ""
) -> Inventory:
    labels = {REVISION: commit} if commit else None
    contents = read(engine, engine.add(FakeImage(layers, labels=labels), *tags), cache)
    assert contents
    return contents


def since(engine: FakeEngine, cache: Path, after: Inventory, image: Image = API) -> Since:
    return since_promoted.of(engine, image, after, None, cache)


def test_every_change_is_shown_under_its_cause(
    engine: FakeEngine, folder: Path, tmp_path: Path
) -> None:
    before = [package("1.0", MB), NUMPY, MORE]
    old = add(engine, tmp_path, before, "sutra-api:latest", commit="1111111aaaa")
    newer = distribution("numpy", "2.1", {"numpy/a.so": 4 * MB})
    after = [package("1.1", MB), newer, OURS, tar_of({"opt/x": b"1"})]
    new = add(engine, tmp_path, after, commit="2222222bbbb")
    packed = sum(layer.download for layer in new.layers) - sum(
        layer.download for layer in old.layers
    )
    section = since(engine, tmp_path, new)
    assert section.sentence == (
        "Since sutra-api:latest, the installed size grew by 2.8 MB to 5.1 MB, "
        f"the download grew by {packed} bytes to 0.0 MB. "
        "1 file changed at the same size. Commits 1111111 to 2222222."
    )
    assert section.because == (
        Because(
            "A dependency's, its lock has changed",
            "+3.0 MB",
            ("numpy 2.0 → 2.1 grew by 3.0 MB",),
        ),
        Because("Ours", "-0.2 MB", ("ours shrank by 0.2 MB",)),
        Because("Of no known owner", "+1 bytes", ("other came with 1 bytes",)),
        Because(
            "The distribution's, a package has changed",
            "+0 bytes",
            ("zlib 1.0 → 1.1 changed, its size did not",),
        ),
    )


def test_what_the_base_brought_is_shown_as_the_bases(
    engine: FakeEngine, folder: Path, tmp_path: Path
) -> None:
    add(engine, tmp_path, [package("1.0", MB), OURS], "sutra-api:latest")
    base = add(engine, tmp_path, [package("1.1", 3 * MB)])
    after = add(engine, tmp_path, [package("1.1", 3 * MB), OURS])
    section = since_promoted.of(engine, API, after, base, tmp_path)
    assert section.because == (
        Because(
            "The base's, its digest has changed", "+2.0 MB", ("zlib 1.0 → 1.1 grew by 2.0 MB",)
        ),
    )


def test_the_rest_of_a_long_list_is_counted(
    engine: FakeEngine, folder: Path, tmp_path: Path
) -> None:
    add(engine, tmp_path, [OURS], "sutra-api:latest")
    many = [distribution(f"p{n:02}", "1", {f"p{n:02}/a.so": MB}) for n in range(LARGEST + 2)]
    section = since(engine, tmp_path, add(engine, tmp_path, [OURS, *many]))
    (because,) = section.because
    assert len(because.lines) == LARGEST + 1
    assert because.lines[0] == "p00 1 came with 1.0 MB"
    assert because.lines[-1] == "2 more, +2.0 MB together"


def test_nothing_promoted_is_one_sentence(engine: FakeEngine, folder: Path, tmp_path: Path) -> None:
    after = add(engine, tmp_path, [OURS])
    assert since(engine, tmp_path, after) == Since(NEVER)
    promoted({"another": after.id})
    assert since(engine, tmp_path, after) == Since(NEVER)


def test_a_promoted_image_that_is_gone_is_one_sentence(
    engine: FakeEngine, folder: Path, tmp_path: Path
) -> None:
    after = add(engine, tmp_path, [OURS])
    promoted({"sutra-api": "sha256:" + "0" * 64, "sutra-base-python": "sha256:" + "0" * 64})
    gone = Since("The engine no longer has the image of promotion 1: nothing is compared.")
    assert since(engine, tmp_path, after) == gone
    assert since(engine, tmp_path, after, BASE) == gone


def test_a_base_is_held_against_the_one_in_the_ledger(
    engine: FakeEngine, folder: Path, tmp_path: Path
) -> None:
    add(engine, tmp_path, [NUMPY], "sutra-base-python:latest")  # the toolchain's tag
    promoted({"sutra-base-python": add(engine, tmp_path, [OURS]).id})
    section = since(engine, tmp_path, add(engine, tmp_path, [MORE]), BASE)
    assert section.sentence.startswith(
        "Since sutra-base-python of promotion 1, the installed size grew by 0.2 MB to 0.3 MB, "
    )


def test_a_promoted_image_that_cannot_be_read_is_one_sentence(
    engine: FakeEngine, folder: Path, tmp_path: Path
) -> None:
    broken = FakeImage([MORE])
    broken.archive = b""
    engine.add(broken, "sutra-api:latest")
    assert since(engine, tmp_path, add(engine, tmp_path, [OURS])) == Since(
        "The promoted image cannot be read: "
        f'engine: archive of "{broken.id}" is damaged: empty file.'
    )


def test_a_history_that_cannot_be_read_is_one_sentence(
    engine: FakeEngine, folder: Path, tmp_path: Path
) -> None:
    ledger.LEDGER.parent.mkdir()
    ledger.LEDGER.write_text("<x>\n")
    assert since(engine, tmp_path, add(engine, tmp_path, [OURS])) == Since(
        'The promoted image cannot be read: .build/history.jsonl: line 1: not an entry "<x>".'
    )


def test_no_change_is_one_sentence(engine: FakeEngine, folder: Path, tmp_path: Path) -> None:
    add(engine, tmp_path, [OURS], "sutra-api:latest", commit="1111111")
    after = add(engine, tmp_path, [OURS], commit="2222222")
    assert since(engine, tmp_path, after) == Since(
        "Nothing changed since sutra-api:latest: its layers are the same."
    )


def test_other_rights_alone_are_one_sentence(
    engine: FakeEngine, folder: Path, tmp_path: Path
) -> None:
    add(engine, tmp_path, [OURS], "sutra-api:latest")
    after = add(engine, tmp_path, [OURS, tar_of({})])
    assert since(engine, tmp_path, after) == Since(
        "No file's bytes changed since sutra-api:latest: only rights, links or times did."
    )


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"app/a": b"2", "app/b": b"1"}, "1 file changed at the same size."),
        ({"app/a": b"2", "app/b": b"2"}, "2 files changed at the same size."),
    ],
)
def test_files_of_equal_size_are_counted(
    engine: FakeEngine, folder: Path, tmp_path: Path, files: dict[str, bytes], told: str
) -> None:
    before = {"app/a": b"1", "app/b": b"1"}
    old = add(engine, tmp_path, [tar_of(before)], "sutra-api:latest")
    new = add(engine, tmp_path, [tar_of(files)])
    change = new.layers[0].download - old.layers[0].download
    download = (
        f"{'grew' if change > 0 else 'shrank'} by {abs(change)} bytes to" if change else "stayed at"
    )
    assert since(engine, tmp_path, new) == Since(
        "Since sutra-api:latest, the installed size stayed at 0.0 MB, "
        f"the download {download} 0.0 MB. {told}"
    )


def test_hostile_names_and_commits_are_one_printable_line(
    engine: FakeEngine, folder: Path, tmp_path: Path
) -> None:
    odd = distribution("a\x1b[31m\u202e" + "x" * 200, "1\x00", {"a/a.so": MB})
    add(engine, tmp_path, [OURS], "sutra-api:latest", commit="\x1b[1m" * 9)
    section = since(engine, tmp_path, add(engine, tmp_path, [OURS, odd], commit="\u202e" * 9))
    lines = [section.sentence, *(line for cause in section.because for line in cause.lines)]
    assert len(lines) == 2
    assert all(line.isprintable() and len(line) < 200 for line in lines)
