"""The rates at which `fresh` counts: those of a small node, or PULL_RATE and UNPACK_RATE."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.common.errors import SutraError
from scripts.common.text import escaped
from scripts.common.units import parse_size

# a rate in Mb is one of bits to most people: read as bytes it would be eight times faster
_BITS = re.compile(r"[kKMG]b\s*\Z")
PULL_RATE, UNPACK_RATE = "PULL_RATE", "UNPACK_RATE"


@dataclass(frozen=True)
class Rates:
    """Bytes a second: compressed from a registry, and unpacked onto the disk."""

    pull: int = 12_500_000  # 100 Mbit/s
    unpack: int = 100_000_000


USUAL = Rates()


def read(environment: Mapping[str, str]) -> Rates:
    """Return the rates that hold. Raises SutraError for what is no size, or is 0."""
    return Rates(
        _rate(environment, PULL_RATE, USUAL.pull), _rate(environment, UNPACK_RATE, USUAL.unpack)
    )


def _rate(environment: Mapping[str, str], name: str, usual: int) -> int:
    text = environment.get(name, "")
    if not text:
        return usual
    tip = f'bytes a second, such as {name}="12.5 MB"'
    if _BITS.search(text):
        raise SutraError(f'{name}: bits, or bytes "{escaped(text)}"', tip)
    try:
        rate = parse_size(text)
    except ValueError as reason:
        raise SutraError(f'{name}: {reason}: "{escaped(text)}"', tip) from reason
    if rate == 0:
        raise SutraError(f'{name}: less than a byte a second "{escaped(text)}"', tip)
    return rate
