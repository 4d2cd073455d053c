from __future__ import annotations

import pytest

from scripts.catalog.fresh_rates import USUAL, Rates, read
from scripts.common.errors import SutraError


def test_without_knobs_it_is_a_hundred_megabits_and_a_hundred_megabytes() -> None:
    assert read({}) == read({"PULL_RATE": "", "UNPACK_RATE": ""}) == USUAL
    assert Rates(12_500_000, 100_000_000) == USUAL


def test_each_rate_is_a_size_a_second() -> None:
    assert read({"PULL_RATE": "1.5 MiB"}) == Rates(1_572_864, USUAL.unpack)
    assert read({"UNPACK_RATE": "1 B"}) == Rates(USUAL.pull, 1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("12", 'not a size such as "50 MB": "12"'),
        ("-1 MB", 'not a size such as "50 MB": "-1 MB"'),
        ("1 MB/s", 'not a size such as "50 MB": "1 MB/s"'),
        ("100 Mbit", 'unknown unit, use B, kB, MB, GB, KiB, MiB or GiB: "100 Mbit"'),
        ("0 MB", 'less than a byte a second "0 MB"'),
        ("0.5 B", 'less than a byte a second "0.5 B"'),
        ("nan", 'not a size such as "50 MB": "nan"'),
        ("a\nb", 'not a size such as "50 MB": "a\\nb"'),
    ],
)
@pytest.mark.parametrize("name", ["PULL_RATE", "UNPACK_RATE"])
def test_a_wrong_rate_is_refused(name: str, text: str, problem: str) -> None:
    with pytest.raises(SutraError) as caught:
        read({name: text})
    assert (caught.value.message, caught.value.tip) == (
        f"{name}: {problem}",
        f'bytes a second, such as {name}="12.5 MB"',
    )
