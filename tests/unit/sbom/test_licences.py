"""What records say of licences, on real ones: Debian, Alpine, Python, Cargo, Go."""

from __future__ import annotations

import time
from email.parser import HeaderParser
from pathlib import Path

import pytest

from scripts.image import inventory
from scripts.image.copyright_file import MAX_NAMES
from scripts.image.inventory import Inventory
from scripts.sbom import licences
from scripts.sbom.licences import FREE_TEXT, NO_BUILD_INFO, NO_FIELD, NO_FILE, NO_METADATA, Recorded
from tests.support.fixture_images import Files, link
from tests.support.good_image import good

SCIPY = """\
Metadata-Version: 2.1
License: Copyright (c) 2001-2002 Enthought, Inc. 2003, SciPy Developers.
        All rights reserved.
        .
        Redistribution and use in source and binary forms, with or without
"""
# as `cargo tree --format "{p} {l}"` wrote it beside sutra-storage, and two of other sources
CRATES = """\
atomic-waker v1.1.2 Apache-2.0 OR MIT
fnv v1.0.7 Apache-2.0 / MIT
serde_urlencoded v0.7.1 MIT/Apache-2.0
serde_derive v1.0.229 (proc-macro) MIT OR Apache-2.0
hyper v1.12.0 MIT (*)
unicode-ident v1.0.27 (MIT OR Apache-2.0) AND Unicode-3.0
ours v0.1.0 (https://github.com/a/ours?rev=1#0123abcd) Apache-2.0
odd v1.0.0 Apache-2.0 / Proprietary
nothing v1.0.0
"""


def image(folder: Path, files: Files) -> Inventory:
    contents = inventory.read(None, f"archive:{good(files).save(folder / 'x.tar')}", folder / "c")
    assert contents
    return contents


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MIT", Recorded("MIT")),
        ("mit and bsd-2-clause", Recorded("MIT AND BSD-2-Clause")),
        ("GPL-2.0-or-later WITH GCC-exception-2.0",) * 2,
        ("MIT custom", Recorded(names=("MIT custom",))),  # Alpine's older form
        ("", Recorded(why=NO_FIELD)),
        (" unknown ", Recorded(why=NO_FIELD)),
        ("x" * 120, Recorded(names=("x" * 120,))),
        ("x" * 121, Recorded(why=NO_FIELD)),
        ("a\nb", Recorded(why=NO_FIELD)),
        ("MIT\x1b[31m", Recorded(why=NO_FIELD)),
        ("(" * 400, Recorded(why=NO_FIELD)),
    ],
)
def test_the_field_of_apk(text: str, expected: Recorded | str) -> None:
    wanted = Recorded(expected) if isinstance(expected, str) else expected
    assert licences.of_text(text, NO_FIELD) == wanted


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("License-Expression: PSF-2.0\nLicense: MIT\n", Recorded("PSF-2.0")),
        ("License: MIT License\n", Recorded(names=("MIT License",))),
        ("License: UNKNOWN\n", Recorded(why=NO_METADATA)),
        (
            f"{SCIPY}Classifier: License :: OSI Approved :: BSD License\n",
            Recorded(names=("BSD License",)),
        ),
        (SCIPY, Recorded(why=NO_METADATA)),
        ("Classifier: License :: OSI Approved\n", Recorded(why=NO_METADATA)),
        ("Classifier: License\n", Recorded(why=NO_METADATA)),
        ("Classifier: License :: a\x1bb\n", Recorded(names=("a\ufffdb",))),
        ("Classifier: Topic :: License\n", Recorded(why=NO_METADATA)),
        (
            "Classifier: License :: Public Domain\nClassifier: License :: OSI Approved :: MIT\n",
            Recorded(names=("MIT", "Public Domain")),
        ),
        ("", Recorded(why=NO_METADATA)),
    ],
)
def test_the_metadata_of_python(metadata: str, expected: Recorded) -> None:
    fields = HeaderParser().parsestr(metadata, headersonly=True)
    assert licences.of_distribution(fields) == expected


def test_the_copyright_file_of_debian(tmp_path: Path) -> None:
    text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
    files: Files = {
        "usr/share/doc/gcc-14-base/copyright": f"{text}Files: *\nLicense: GPL-3+\n",
        "usr/share/doc/libgcc-s1": link("gcc-14-base"),
        "usr/share/doc/folder/copyright/x": "",
    }
    contents = image(tmp_path, files)
    assert {
        name: licences.of_debian(contents, name)
        for name in ("gcc-14-base", "libgcc-s1", "libc6", "gone", "folder")
    } == {
        "gcc-14-base": Recorded(names=("GPL-3+",)),
        "libgcc-s1": Recorded(names=("GPL-3+",)),
        "libc6": Recorded(why=FREE_TEXT),
        "gone": Recorded(why=NO_FILE),
        "folder": Recorded(why=NO_FILE),
    }


def test_the_list_of_crates_beside_a_program(tmp_path: Path) -> None:
    files = {"usr/share/licenses/x/crates": CRATES, "usr/share/licenses/crates": "a v1 ISC\n"}
    assert licences.of_crates(image(tmp_path, files)) == {
        ("atomic-waker", "1.1.2"): Recorded("Apache-2.0 OR MIT"),
        ("fnv", "1.0.7"): Recorded("Apache-2.0 OR MIT"),
        ("serde_urlencoded", "0.7.1"): Recorded("MIT OR Apache-2.0"),
        ("serde_derive", "1.0.229"): Recorded("MIT OR Apache-2.0"),
        ("hyper", "1.12.0"): Recorded("MIT"),
        ("unicode-ident", "1.0.27"): Recorded("(MIT OR Apache-2.0) AND Unicode-3.0"),
        ("ours", "0.1.0"): Recorded("Apache-2.0"),
        ("odd", "1.0.0"): Recorded(names=("Apache-2.0 / Proprietary",)),
    }


def test_records_of_a_hostile_image_are_bounded() -> None:
    rows = "".join(f"Classifier: License :: {n:06}\n" for n in range(100_000))
    licence = licences.of_distribution(HeaderParser().parsestr(rows, headersonly=True))
    assert (len(licence.names), licence.names[-1]) == (MAX_NAMES, f"{MAX_NAMES - 1:06}")
    long = "x" + " " * 1_000_000 + "y"
    start = time.process_time()
    assert dict(licences._listed(f"a v1 {long}\n")) == {("a", "1"): long}
    assert time.process_time() - start < 2


def test_no_other_crate_is_named_in_a_line() -> None:
    assert dict(licences._listed("a v1 X\u2028serde v1.0.1 ISC\nb v2 MIT\r\n")) == {
        ("a", "1"): "X\u2028serde v1.0.1 ISC",
        ("b", "2"): "MIT",
    }


def test_a_module_of_go_has_a_text_and_no_record(tmp_path: Path) -> None:
    files = {"usr/share/licenses/greeter/a.org/b/LICENSE": "MIT", "usr/share/licenses/g/go": ""}
    texts = licences.texts_of_modules(image(tmp_path, files))
    named = f"{NO_BUILD_INFO}; its text is in /usr/share/licenses"
    assert [licences.of_module(name, texts).why for name in ("a.org/b", "go", "a.org/c")] == [
        f"{named}/greeter/a.org/b",
        f"{named}/g/go",
        NO_BUILD_INFO,
    ]
