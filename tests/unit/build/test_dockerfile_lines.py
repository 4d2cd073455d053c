from __future__ import annotations

import pytest

from scripts.build import dockerfile_lines


def read(text: str) -> list[tuple[str, str]]:
    return list(dockerfile_lines.instructions(text))


def test_lines_are_joined_and_comments_left_out() -> None:
    text = "# one\nfrom a \\\n  # two\n  as b\n\nRUN c \\ \n  d\n"
    assert read(text) == [("FROM", "a    as b"), ("RUN", "c    d")]


@pytest.mark.parametrize(
    "begin",
    [
        "RUN <<END",
        "RUN <<'END'",
        'RUN <<"END"',
        "RUN python3 <<END",
        "RUN cat <<END >/x",
        "COPY <<END /x",
    ],
)
def test_the_text_of_a_heredoc_is_no_instruction(begin: str) -> None:
    text = f"FROM a\n{begin}\nfrom os import path\nCOPY x /\n # no comment\nEND\nUSER 1\n"
    assert [word for word, _ in read(text)] == ["FROM", begin.split()[0], "USER"]


def test_two_heredocs_of_one_instruction_and_one_with_tabs() -> None:
    text = "COPY <<ONE <<-TWO /to/\nfrom a\nONE\nfrom b\n\tTWO\nUSER 1\n"
    assert [word for word, _ in read(text)] == ["COPY", "USER"]


@pytest.mark.parametrize("command", ["echo $((1<<n))", "cat <<<word", "cat <<END"])
def test_what_no_line_ends_hides_nothing(command: str) -> None:
    assert [word for word, _ in read(f"RUN {command}\nUSER 1\n")] == ["RUN", "USER"]
