"""Licences of Debian's copyright files, on the records of packages of Debian 13."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.image import copyright_file, entry_cache, inventory
from scripts.image.copyright_file import MAX_NAME, MAX_NAMES, UNNAMED
from scripts.oci.compression import BLOCK
from tests.support.fixture_images import Files, link
from tests.support.good_image import good

URL = "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
ZLIB = f"""\
Format: {URL.replace("https", "http")}
Upstream-Name: zlib
Source: http://zlib.net/

Files: *
Copyright: 1995-2013 Jean-loup Gailly and Mark Adler
License: Zlib

Files: amiga/Makefile.pup
Copyright: 1998 by Andreas R. Kleinert
License: Zlib

License: Zlib
 This software is provided 'as-is', without any express or implied
 warranty.  In no event will the authors be held liable for any damages
 .
 License: GPL-2 is not the one of these lines
"""
BZIP2 = f"""\
Format: {URL}
Upstream-Name: bzip2

Files: *
Copyright: Copyright (C) 1996-2010, Julian R Seward.
License: BSD-variant

Files: debian/*
Copyright: 1999, Philippe Troin <phil@fifi.org>
License: GPL-2
 On Debian systems, the full text is in "/usr/share/common-licenses/GPL-2".
"""
ZSTD = f"""\
Format: {URL}

Files: *
License: BSD-3-clause or GPL-2

Files: debian/*
License: Expat

License: GPL-2
 text
"""
GCC = """\
This is the Debian GNU/Linux prepackaged version of the GNU compiler
collection, containing Ada, C, C++, Fortran 95, Go, Objective-C,
License: GPL-3+
"""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (ZLIB, ("Zlib",)),
        (ZLIB.replace("\n", "\r\n"), ("Zlib",)),
        (BZIP2, ("BSD-variant", "GPL-2")),
        (ZSTD, ("BSD-3-clause or GPL-2", "Expat")),
        (GCC, ()),
        ("", ()),
        (f"\nFormat: {URL}\n\nFILES: *\nLICENSE: Expat\n", ("Expat",)),
        (f"Format-Specification: {URL}\n\nFiles: *\nLicense: Expat\n", ("Expat",)),
        ("Format: http://dep.debian.net/deps/dep5\n\nFiles: *\nLicense: ISC\n", ("ISC",)),
        ("Format: 3.0 (quilt)\n\nFiles: *\nLicense: ISC\n", ()),
        (f"Format: {URL}\nLicense: GPL-2\n", ()),  # only the header names one
        (f"Format: {URL}\n\nFiles: *\nLicense:\n the text itself\n", (UNNAMED,)),
        (f"Format: {URL}\n\nFiles: *\n", (UNNAMED,)),
        (f"Format: {URL}\n\nFiles: *\nLicense: GPL-2\n \fLicense: ISC\n", ("GPL-2",)),
        (f"Format: {URL}\n\nFiles: *\nLicense: GPL-2\n \u2028License: ISC\n", ("GPL-2",)),
        (f"Format: {URL}\n\nFiles: *\nLicense: a\x1bb\n", ("a\ufffdb",)),
        (f"Format: {URL}\n\nFiles: *\nLicense: {'x' * 999}\n", ("x" * MAX_NAME,)),
    ],
)
def test_names_of_a_copyright_file(text: str, names: tuple[str, ...]) -> None:
    assert copyright_file.licences(text.encode()) == names


def test_names_are_bounded_and_bytes_that_are_no_text_are_no_error() -> None:
    rows = "".join(f"\n\nFiles: {n}\nLicense: L{n:04}" for n in range(MAX_NAMES + 1))
    names = copyright_file.licences(f"Format: {URL}{rows}\n".encode())
    assert (len(names), names[-1]) == (MAX_NAMES, f"L{MAX_NAMES - 1:04}")
    assert copyright_file.licences(f"Format: {URL}\n\nFiles: *\n".encode() + b"License: \xff") == (
        "\ufffd",
    )


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("usr/share/doc/libc6/copyright", True),
        ("usr/share/doc/libc6/more/copyright", False),
        ("usr/share/doc/copyright", False),
        ("app/usr/share/doc/libc6/copyright", False),
        ("usr/share/doc/libc6/copyright.gz", False),
    ],
)
def test_the_place_of_a_copyright_file(path: str, is_one: bool) -> None:
    assert copyright_file.has_name(path) is is_one


def test_an_entry_keeps_the_names_also_in_the_cache_and_by_a_link(tmp_path: Path) -> None:
    files: Files = {
        "usr/share/doc/zlib1g/copyright": ZLIB,
        "usr/share/doc/other": link("zlib1g"),
        "usr/share/doc/long/copyright": ZLIB + "\n" * BLOCK,
        "app/copyright": ZLIB,
    }
    archive = f"archive:{good(files).save(tmp_path / 'x.tar')}"
    for _ in range(2):  # read, and then from the cache
        image = inventory.read(None, archive, tmp_path / "c")
        entry_cache._RECENT.clear()
        assert image
        named = {path: file.licences for path, file in image.files.items() if file.licences}
        assert named == {"usr/share/doc/zlib1g/copyright": ("Zlib",)}
        linked = image.resolve("usr/share/doc/other/copyright")
        assert linked
        assert linked.licences == ("Zlib",)
