from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from scripts.bench import backends
from scripts.common.errors import SutraError
from tests.unit.fakes import program

MEASURED = "| | log, 100,000 |\n|---|--:|\n| writes/s | 5 |\n\n- `migrate` was killed.\n"
DOCUMENT = "# Scaling\n\n<!-- backends -->\nold\n<!-- /backends -->\n\nend\n"


@pytest.fixture
def document(folder: Path) -> Path:
    backends.DOCUMENT.parent.mkdir()
    backends.DOCUMENT.write_text(DOCUMENT)
    return backends.DOCUMENT


def test_figures_are_printed_and_nothing_is_written_unasked(
    document: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backends.main(Namespace(readme=False), lambda: MEASURED) == 0
    assert capsys.readouterr().out == MEASURED
    assert document.read_text() == DOCUMENT


def test_figures_take_the_place_of_the_old_ones(document: Path) -> None:
    assert backends.main(Namespace(readme=True), lambda: MEASURED) == 0
    assert document.read_text() == DOCUMENT.replace("old\n", MEASURED)


@pytest.mark.parametrize("script", ["echo '| |'; exit 3", "echo nothing"])
def test_a_measurement_that_fails_is_one_line_and_writes_nothing(
    document: Path, folder: Path, script: str
) -> None:
    (folder / "scripts").mkdir()
    program(folder / "scripts", "postgres.sh", script)
    with pytest.raises(SutraError) as caught:
        backends.main(Namespace(readme=True))
    assert (caught.value.message, caught.value.tip) == (
        'bench: failed "scripts/postgres.sh packages/sutra-storage/benches/run.sh backends"',
        "the lines above say why; it needs cargo",
    )
    assert document.read_text() == DOCUMENT


def test_the_document_has_the_block() -> None:
    text = (Path(__file__).resolve().parents[3] / backends.DOCUMENT).read_text()
    block = text.partition("<!-- backends -->\n")[2].partition("<!-- /backends -->")[0]
    assert block.startswith("| | log, 100,000 | PostgreSQL, 100,000 | ")
    assert "- `migrate` of 100,000 concepts was killed after " in block
