"""docker-compose.yml with the defaults of its knobs; its values in bytes and seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.conftest import ROOT

KNOB = re.compile(r"\$\{\w+(?::?([-+])((?:[^{}]|\{[^{}]*\})*))?\}")
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
QUANTITIES = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "Ki": 1 << 10,
    "Mi": 1 << 20,
    "Gi": 1 << 30,
}


def services() -> dict[str, dict[str, Any]]:
    """Return every service of the file as it is without any knob."""
    text = KNOB.sub(_default, (ROOT / "docker-compose.yml").read_text())
    parsed: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return parsed


def _default(knob: re.Match[str]) -> str:
    return (knob[2] or "") if knob[1] == "-" else ""


def size(value: str) -> int:
    """Return compose's "512m" in bytes."""
    return _bytes(r"(\d+)([kmg]?)b?", str(value), UNITS)


def quantity(value: str) -> int:
    """Return Kubernetes' "512Mi" in bytes."""
    return _bytes(r"(\d+)([A-Za-z]*)", value, QUANTITIES)


def _bytes(form: str, value: str, units: Mapping[str, int]) -> int:
    parts = re.fullmatch(form, value)
    assert parts, value
    return int(parts[1]) * units[parts[2]]


def tmpfs(value: str) -> tuple[str, dict[str, str]]:
    """Return path and options of "/tmp:size=16m,noexec"."""
    path, _, options = value.partition(":")
    return path, dict(option.partition("=")[::2] for option in options.split(","))
