from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scripts.common.units import UNITS, format_size, format_time, parse_size, parse_time

NOT_A_SIZE = 'not a size such as "50 MB"'
UNKNOWN_UNIT = "unknown unit, use B, kB, MB, GB, KiB, MiB or GiB"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("900 B", 900),
        ("3 kB", 3_000),
        ("50 MB", 50_000_000),
        ("2 GB", 2_000_000_000),
        ("3 KiB", 3 * 1024),
        ("50 MiB", 50 * 1024**2),
        ("2 GiB", 2 * 1024**3),
        ("1.5GiB", 1_610_612_736),
        ("2.5 MB", 2_500_000),
        ("0 MB", 0),
        ("007 MB", 7_000_000),
        ("  50   MB\n", 50_000_000),
        ("50 mb", 50_000_000),
        ("50 MIB", 50 * 1024**2),
        ("1.9 B", 1),
    ],
)
def test_every_unit_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4.1 MB", 4_100_000),
        ("8.2 MB", 8_200_000),
        ("16.4 MB", 16_400_000),
        ("9007199254740993 B", 9_007_199_254_740_993),
        (f"{10**18 - 1} GiB", (10**18 - 1) * 2**30),
    ],
)
def test_a_decimal_size_is_exact(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "50",
        "",
        " ",
        "MB",
        "-1 MB",
        "+1 MB",
        "1,5 MB",
        "1. MB",
        ".5 MB",
        "1e3 MB",
        "50 MB/s",
        "50 M B",
        "1 2 MB",
        "nan MB",
        "٥٠ MB",
        "１ MB",
        "²³ MB",
        f"{10**18} B",
        f"1.{10**18} MB",
        "9" * 5000 + " MB",
        "None",
        "True",
    ],
)
def test_a_text_that_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        parse_size(text)
    assert str(caught.value) == NOT_A_SIZE


@pytest.mark.parametrize("unit", ["M", "TB", "bytes", "kBit", "Mbx"])
def test_an_unknown_unit_is_refused(unit: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        parse_size(f"50 {unit}")
    assert str(caught.value) == UNKNOWN_UNIT


def test_every_size_and_time_that_is_read_can_be_shown() -> None:
    """A number of 400 digits is too large for a float."""
    assert format_size(parse_size(f"{10**18 - 1} GiB")) == "1073741824000000000000.0 MB"
    assert format_time(parse_time(f"{10**18 - 1} s")) == "1000000000000000000.00 s"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0.0 MB"),
        (12_345_678, "12.3 MB"),
        (50_000_000, "50.0 MB"),
        (49_949_999, "49.9 MB"),
        (2_000_000_000, "2000.0 MB"),
        (1, "0.0 MB"),
    ],
)
def test_sizes_are_shown_in_megabytes(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(0, 10**13))
def test_whole_bytes_come_back(size: int) -> None:
    assert parse_size(f"{size} B") == size


@given(st.integers(0, 10**7), st.sampled_from(["B", "kB", "MB", "GB", "KiB", "MiB", "GiB"]))
def test_whole_numbers_of_every_unit_come_back(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * UNITS[unit.upper()]


@given(st.integers(0, 10**6))
@example(41)
def test_a_printed_size_reads_back_as_itself(tenths: int) -> None:
    size = tenths * 100_000
    assert parse_size(format_size(size)) == size


@given(st.integers(0, 10**12))
def test_a_printed_size_is_within_half_of_its_last_digit(size: int) -> None:
    printed = Decimal(format_size(size).removesuffix(" MB")) * 10**6
    assert abs(printed - size) <= 50_000


@given(st.text())
def test_no_text_raises_anything_but_value_error(text: str) -> None:
    try:
        assert parse_size(text) >= 0
    except ValueError as error:
        assert str(error) in (NOT_A_SIZE, UNKNOWN_UNIT)  # noqa: PT017 - or it succeeds


@pytest.mark.parametrize(
    ("text", "ms"),
    [("5 s", 5000), ("1.5s", 1500), ("300 ms", 300), ("0.0019 s", 1), (" 2 s\n", 2000), ("0 s", 0)],
)
def test_a_time_is_read_in_milliseconds(text: str, ms: int) -> None:
    assert parse_time(text) == ms


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("5", 'not a time such as "5 s"'),
        ("", 'not a time such as "5 s"'),
        ("-5 s", 'not a time such as "5 s"'),
        ("٥ s", 'not a time such as "5 s"'),
        ("9" * 400 + " s", 'not a time such as "5 s"'),
        ("1e3 s", 'not a time such as "5 s"'),
        ("5 min", "unknown unit, use ms or s"),
        ("5 S", "unknown unit, use ms or s"),
        ("5 MB", "unknown unit, use ms or s"),
    ],
)
def test_a_text_that_is_not_a_time_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        parse_time(text)


@pytest.mark.parametrize(("ms", "shown"), [(0, "0.00 s"), (1234, "1.23 s"), (61_000, "61.00 s")])
def test_a_time_is_shown_in_seconds(ms: int, shown: str) -> None:
    assert format_time(ms) == shown
