"""Sums of opened and unopened bytes by owner."""

from __future__ import annotations

from scripts.floor import shares
from scripts.floor.shares import Share
from scripts.image.entry import Entry
from scripts.image.inventory import Owner
from tests.unit.floor.images import SITE, image

OURS, OTHER = Owner("ours", "sutra-api", "1.2"), Owner("other", "other")
ONE = Owner("python", "one", "1.0")


def test_bytes_are_summed_by_owner_the_most_unopened_first() -> None:
    summed = shares.of(
        image(
            {
                "app/main.py": 10,
                "etc/passwd": 7,
                f"{SITE}/one/__init__.py": 100,
                f"{SITE}/one/big.py": 1000,
            },
            one="one/__init__.py one/big.py",
        ),
        # one of them twice, and what is not in the image
        ["/app/main.py", "app/main.py", f"/{SITE}/one/__init__.py", "/proc/self", ""],
    )
    records = 23 + 31  # METADATA and RECORD
    assert summed.shares == [
        Share(ONE, 4, 1, 1100 + records, 100),
        Share(OTHER, 1, 0, 7, 0),
        Share(OURS, 1, 1, 10, 10),
    ]
    assert [share.unopened for share in summed.shares] == [1000 + records, 7, 0]
    assert (summed.bytes, summed.opened) == (1117 + records, 110)
    assert summed.unopened == {
        "etc/passwd": 7,
        f"{SITE}/one/big.py": 1000,
        f"{SITE}/one-1.0.dist-info/METADATA": 23,
        f"{SITE}/one-1.0.dist-info/RECORD": 31,
    }


def test_a_hard_link_opens_the_file_that_has_the_bytes() -> None:
    link = Entry("usr/b", "hardlink", 0, 0o644, 0, 0, 0, "usr/a")
    seen = image({"usr/a": 50}, link)
    assert shares.of(seen, ["/usr/b"]).opened == 50
    assert shares.of(seen, ["/usr/a"]).opened == 50
    assert shares.of(seen, []).opened == 0


def test_links_and_folders_have_no_bytes() -> None:
    link = Entry("usr/l", "symlink", 0, 0o777, 0, 0, 0, "a")
    folder = Entry("usr", "folder", 0, 0o755, 0, 0, 0)
    summed = shares.of(image({"usr/a": 5}, link, folder), ["/usr", "/usr/l"])
    assert summed.shares == [Share(OTHER, 1, 0, 5, 0)]


def test_an_image_without_files_has_no_shares() -> None:
    summed = shares.of(image({}), ["/x"])
    assert (summed.shares, summed.bytes, summed.opened, summed.unopened) == ([], 0, 0, {})
