"""PAX records are checked here, so that every Python reads or refuses the same archives."""

from __future__ import annotations

import io
import tarfile

import pytest

from scripts.oci import pax, tar_stream
from tests.support.hostile_archives import LONG, header, member, record

MANY = b"1" * (pax.MAX_DIGITS + 1)


def names(records: bytes, kind: bytes = tarfile.XHDTYPE) -> list[str]:
    """Return the names in an archive of one entry behind a PAX header."""
    blob = header(kind, records) + member("name") + bytes(1024)
    return [entry.name for entry, _ in tar_stream.entries(io.BytesIO(blob))]


@pytest.mark.parametrize(
    ("records", "name"),
    [
        (b"", "name"),
        (b"5 k=\n", "name"),
        (b"10 path=a\n5 k=\n", "a"),
        (b"10 path=a\n10 path=b\n", "b"),
        (b"13 path=a=b\n\n", "a=b\n"),
        (record("path", "a" * 250), "a" * 250),
        (record("comment", "1" * pax.MAX_DIGITS), "name"),
        # nothing is read behind a zero byte
        (b"10 path=a\n\0" + b"x", "a"),
        # a length is counted anew where it gets one digit more
        *((record("path", "a" * size), "a" * size) for size in (1, 2, 90, 91, 92, 93)),
    ],
)
def test_whole_records_are_read(records: bytes, name: str) -> None:
    pax.check(records)
    assert names(records) == [name]


@pytest.mark.parametrize(
    "records",
    [
        b"x",
        b"5",
        b" k=\n",
        b"0 k=\n",
        b"4 k=\n",
        b"4 =\n",
        b"4 k\n",
        b"5 k=",
        b"5 k=x\n",
        b"600 k=\n",
        b"-5 k=\n",
        b"+5 k=\n",
        b"5  k\n",
        b"5\tk=\n",
        b"10 path=a\nx",
        # the record behind it begins inside of it
        b"12 k10000=\n12 k10001=\n",
        b"1" * 21 + b" k=\n",
    ],
)
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE])
def test_a_record_of_another_length_is_refused(records: bytes, kind: bytes) -> None:
    with pytest.raises(tarfile.ReadError, match=r"^invalid header$"):
        names(records, kind)


@pytest.mark.parametrize(
    "records", [MANY, record("comment", MANY.decode()), record("k", "1" * (LONG - 20))]
)
def test_digits_without_end_are_refused(records: bytes) -> None:
    """Old Pythons look for a number at each digit: a header of 1 MiB takes them many minutes."""
    with pytest.raises(tarfile.ReadError, match=r"^PAX header with more than 300 digits in a row$"):
        names(records)


def test_records_that_are_cut_off_are_refused() -> None:
    blob = header(tarfile.XHDTYPE, record("comment", "x" * 5000))[:2000]
    with pytest.raises(tarfile.ReadError, match=r"^invalid header$"):
        list(tar_stream.entries(io.BytesIO(blob)))


def test_a_header_across_blocks_of_the_stream_is_read() -> None:
    """Looking ahead must neither lose nor repeat a byte."""

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(700, 700 if size is None or size < 0 else size))

    entry = header(tarfile.XHDTYPE, record("path", "a" * 3000)) + member("name", b"content")
    read = [
        (member.name, tar_stream.content(member, archive).read(9))
        for member, archive in tar_stream.entries(Slow(entry * 3 + bytes(1024)))
    ]
    assert read == [("a" * 3000, b"content")] * 3
