from __future__ import annotations

from pathlib import Path

import pytest

from scripts.debian import index
from scripts.debian.archive import Index, NotKnownError
from scripts.debian.index import Offer
from scripts.debian.packages_lock import Package

HASH = "a" * 64
FIELDS = {
    "Package": "small",
    "Source": "big (1.0)",
    "Version": "1.0+b1",
    "Architecture": "amd64",
    "SHA256": HASH,
    "Size": "12",
}


def paragraph(**changed: str) -> str:
    fields = {**FIELDS, **changed}
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def of(folder: Path, text: str, part: str = "trixie") -> Index:
    file = folder / "Packages"
    file.write_text(text)
    return Index(part, "amd64", file)


def test_only_the_packages_asked_for_are_read(tmp_path: Path) -> None:
    others = "Package: smaller\nSize: odd\n\nPackage: other\nDescription: Package: small\n"
    text = f"{others}\n{paragraph()}Tag: x::y,\n z::w\n\n{others}\n{paragraph(Version='2.0')}"
    packages = index.read([of(tmp_path, text, "trixie-security")], ["small", "none"])
    assert packages == {
        ("small", "amd64"): [
            Offer(Package("small", version, "amd64", HASH), "big", 12, True)
            for version in ("1.0+b1", "2.0")
        ]
    }


def test_a_package_without_source_is_its_own(tmp_path: Path) -> None:
    [[offer]] = index.read([of(tmp_path, paragraph(Source=""))], ["small"]).values()
    assert (offer.source, offer.is_security) == ("small", False)


@pytest.mark.parametrize(
    "changed",
    [
        {"Version": "one"},
        {"Version": ""},
        {"Architecture": "arm64"},
        {"SHA256": "A" * 64},
        {"Size": "-1"},
        {"Size": "1" * 13},
        {"Source": "../x"},
        {"Source": "big (1.0"},
        {"Version": "1.0\x1b[31m"},
    ],
)
def test_an_odd_paragraph_is_one_line(tmp_path: Path, changed: dict[str, str]) -> None:
    with pytest.raises(NotKnownError) as caught:
        index.read([of(tmp_path, paragraph(**changed))], ["small"])
    assert caught.value.why == 'Packages: odd form of "small"'


def test_an_index_that_is_too_long_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = paragraph()
    monkeypatch.setattr(index, "MOST", len(text))
    assert index.read([of(tmp_path, text)], ["small"])
    monkeypatch.setattr(index, "MOST", len(text) - 1)
    with pytest.raises(NotKnownError) as caught:
        index.read([of(tmp_path, text)], ["small"])
    assert caught.value.why == "Packages: too long"


def test_an_index_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotKnownError) as caught:
        index.read([Index("trixie", "amd64", tmp_path / "Packages")], ["small"])
    assert caught.value.why == "Packages: No such file or directory"
