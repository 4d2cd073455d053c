"""The quick way through usual headers gives what `tarfile` gives, for every header."""

from __future__ import annotations

import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.oci import tar_stream

FIELDS = (
    "name", "mode", "uid", "gid", "size", "mtime", "chksum", "type", "linkname", "uname", "gname",
    "devmajor", "devminor", "offset", "offset_data", "pax_headers", "sparse",
)  # fmt: skip # a list of words
TYPES = (
    tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE,
    tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE,
    tarfile.XHDTYPE, b"7", b"Z",
)  # fmt: skip # a list of words
FORMS: list[Any] = [tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """Return what `tarfile` or Go's archive/tar writes of an entry."""
    info = tarfile.TarInfo(draw(NAMES) + draw(st.sampled_from(["", "/", "//"])))
    info.type = draw(st.sampled_from(TYPES))
    info.mode = draw(st.integers(0, 0o7777))
    info.uid, info.gid = (draw(st.integers(0, 3_000_000)) for _ in range(2))
    info.size, info.mtime = draw(st.integers(0, 1 << 34)), draw(st.integers(0, 1 << 34))
    info.linkname, info.uname, info.gname = draw(NAMES), draw(NAMES)[:9], draw(NAMES)[:9]
    form = draw(st.sampled_from(FORMS))
    try:
        header = bytearray(info.tobuf(form)[-512:])
    except ValueError:  # more than a header of that form can say
        header = bytearray(tarfile.TarInfo("a").tobuf(form))
    if draw(st.booleans()):  # Go leaves the numbers of devices out, and may fill the prefix
        header[329:345] = bytes(16)
        header[345:350] = draw(st.sampled_from([bytes(5), b"usr/l", b"/////", b"a\0b\0c"]))
    for at in draw(st.lists(st.integers(0, 511), max_size=3)):
        header[at] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 256)
    return bytes(header)


def parsed(kind: type[tarfile.TarInfo], header: bytes) -> dict[str, Any] | str:
    try:
        info = kind.frombuf(header, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        return repr(error)
    return {name: getattr(info, name) for name in FIELDS}


@given(headers())
def test_every_header_gives_what_tarfile_gives(header: bytes) -> None:
    assert parsed(tar_stream._StrictInfo, header) == parsed(tarfile.TarInfo, header)


@pytest.mark.parametrize("length", [0, 1, 511, 513])
def test_a_header_of_another_length_is_refused_as_tarfile_does(length: int) -> None:
    header = bytes(tarfile.TarInfo("a").tobuf(tarfile.USTAR_FORMAT)).ljust(513, b"\0")[:length]
    assert parsed(tar_stream._StrictInfo, header) == parsed(tarfile.TarInfo, header)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "kind", [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]
)
def test_headers_of_files_folders_and_links_are_usual(form: Any, kind: bytes) -> None:
    """One that is not would be read all the same, but slowly."""
    info = tarfile.TarInfo("usr/lib/" + "é" * 9)
    info.type, info.linkname, info.size, info.uid = kind, "../lib", 12_345, 10_001
    header = info.tobuf(form)
    assert tar_stream._USUAL.fullmatch(header)
    assert parsed(tar_stream._StrictInfo, header) == parsed(tarfile.TarInfo, header)


def test_a_wrong_checksum_is_refused() -> None:
    header = bytearray(tarfile.TarInfo("a").tobuf(tarfile.USTAR_FORMAT))
    header[0] += 1
    assert tar_stream._USUAL.fullmatch(header)
    assert parsed(tar_stream._StrictInfo, bytes(header)) == "InvalidHeaderError('bad checksum')"
