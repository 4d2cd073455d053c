"""Foreign text is shown in one line of ours."""

from __future__ import annotations

from scripts.common.errors import SutraError
from scripts.common.text import counted, escaped, printable


def test_what_a_terminal_would_obey_is_replaced() -> None:
    assert printable("a\x1b[31m\n\u202eb é") == "a\N{REPLACEMENT CHARACTER}[31m" + (
        "\N{REPLACEMENT CHARACTER}" * 2 + "b é"
    )


def test_every_error_is_one_printable_line() -> None:
    error = SutraError('x.tar: negative size of "hole\x01"\nmore', "look\x1b[2J")
    assert error.message == (
        'x.tar: negative size of "hole\N{REPLACEMENT CHARACTER}"\N{REPLACEMENT CHARACTER}more'
    )
    assert error.tip == "look\N{REPLACEMENT CHARACTER}[2J"


def test_what_a_person_wrote_is_shown_with_its_escapes() -> None:
    assert [escaped(text) for text in ("é 1", "a\n", "")] == ["é 1", "a\\n", ""]


def test_a_number_has_its_noun() -> None:
    assert [counted(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
