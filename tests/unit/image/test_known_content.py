"""Identify files by their bytes: texts across blocks, cut archives, no false matches."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.image import known_content
from scripts.image.known_content import KNOWN, Program, of_beginning, of_zip
from scripts.oci.compression import zstd
from tests.support.planted_faults import tarred, zipped

SDIST = tarred("one-1.0/", "one-1.0/LICENSE", "one-1.0/PKG-INFO")
PACKED = [
    SDIST,
    gzip.compress(SDIST),
    bz2.compress(SDIST),
    lzma.compress(SDIST),
    zstd.compress(SDIST),
]
TEXT = KNOWN[-1][1]


@pytest.mark.parametrize("cut", [1, len(TEXT) // 2, len(TEXT) - 1])
def test_a_text_is_found_where_two_blocks_meet(cut: int) -> None:
    program = Program()
    for block in (bytes(99) + TEXT[:cut], TEXT[cut:] + bytes(99)):
        program.see(block)
    assert program.marks() == {KNOWN[-1][0]}


@pytest.mark.parametrize(("kind", "text"), KNOWN)
def test_every_text_is_found_and_means_one_program(kind: str, text: bytes) -> None:
    program = Program()
    program.see(bytes(9) + text + bytes(9))
    assert program.marks() == {kind}


def test_the_texts_have_sources() -> None:
    """A comment above each group of texts tells which packages they belong to."""
    lines = known_content.TEXTS.read_text().splitlines()
    groups = [at for at, line in enumerate(lines) if "\t" in line and "\t" not in lines[at - 1]]
    assert all(lines[at - 1].startswith("# ") for at in groups)
    assert all(len(line.split("\t")) == 3 for line in lines if "\t" in line)


@pytest.mark.parametrize("packed", PACKED, ids=["plain", "gzip", "bzip2", "xz", "zstd"])
def test_a_source_distribution_is_known_however_it_is_packed(packed: bytes) -> None:
    assert list(of_beginning(packed)) == ["package:sdist"]


@given(
    at=st.integers(0, 4),
    edits=st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=9))),
    length=st.integers(0, 4000),
)
def test_a_damaged_archive_is_looked_into_or_not(
    at: int, edits: list[tuple[int, bytes]], length: int
) -> None:
    data = bytearray(PACKED[at])
    for place, value in edits:
        data[place : place + len(value)] = value
    assert set(of_beginning(bytes(data[:length]))) <= {"package:sdist"}


@given(st.binary(max_size=2000))
def test_any_end_of_a_zip_archive_is_read(data: bytes) -> None:
    assert list(of_zip(data)) == []
    assert list(of_zip(b"PK\x01\x02" + data)) == []


def test_a_zip_archive_is_read_from_its_end_alone() -> None:
    whole = zipped(*(f"data/{n}" for n in range(99)), "pip/__init__.py")
    assert list(of_zip(whole[-400:])) == ["installers:pip"]


def test_what_a_bomb_unpacks_to_has_an_end() -> None:
    bomb = gzip.compress(bytes(50 << 20))
    assert len(known_content._unpacked(bomb)) == known_content.UNPACKED
