from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator

import pytest

from scripts.common.errors import CHECK_FAILED, OK, WRONG_CALL, ProblemsError, SutraError, run


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """`run` sets a handler for the whole process."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_the_exit_codes_are_those_that_pipelines_read() -> None:
    assert (OK, CHECK_FAILED, WRONG_CALL) == (0, 1, 2)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.EROFS, "x", ".cache/roots"),
            ".cache/roots: Read-only file system\n"
            "tip: `df -h .cache` and `ls -ld .cache` say more\n",
        ),
        (
            OSError(errno.ENOSPC, "x", "file"),
            "file: No space left on device\ntip: `df -h .` and `ls -ld .` say more\n",
        ),
        (
            PermissionError(errno.EACCES, "x", b"/a b/c"),
            "/a b/c: Permission denied\ntip: `df -h '/a b'` and `ls -ld '/a b'` say more\n",
        ),
    ],
)
def test_a_disk_that_refuses_is_no_bug(
    error: OSError, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def main() -> int:
        raise error

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == 2
    assert capfd.readouterr() == ("", said)


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EROFS, "x"), OSError(errno.ENOENT, "x", "f"), OSError(errno.EACCES, "x", 7)],
)
def test_an_error_of_no_file_or_no_disk_stays_a_bug(
    error: OSError, capfd: pytest.CaptureFixture[str]
) -> None:
    def main() -> int:
        raise error

    with pytest.raises(SystemExit):
        run(main)
    assert "unexpected error" in capfd.readouterr().err


@pytest.mark.parametrize("code", [0, 1, 2])
def test_run_exits_with_the_code_of_main(code: int, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(lambda: code)
    assert caught.value.code == code
    assert capfd.readouterr() == ("", "")


def test_an_error_is_shown_as_message_and_tip(capfd: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        raise SutraError('images.yaml: images: unknown key "x"', "fix it")

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == 2
    assert capfd.readouterr() == ("", 'images.yaml: images: unknown key "x"\ntip: fix it\n')


def test_an_error_without_tip_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        raise SutraError("images.yaml: cannot be read")

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == 2
    assert capfd.readouterr() == ("", "images.yaml: cannot be read\n")


def test_an_interrupt_is_shown_without_a_trace(capfd: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == 2
    assert capfd.readouterr() == (
        "",
        "interrupted\ntip: run the same command again, finished steps are cached\n",
    )


def test_a_termination_is_an_interrupt(capfd: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == 2
    assert capfd.readouterr() == (
        "",
        "interrupted\ntip: run the same command again, finished steps are cached\n",
    )


def test_a_bug_is_one_line_and_not_a_failed_check(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def main() -> int:
        raise ZeroDivisionError("a bug\nof two lines")

    monkeypatch.delenv("SUTRA_TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == WRONG_CALL
    line = main.__code__.co_firstlineno + 1
    assert capfd.readouterr() == (
        "",
        f'test_errors.py:{line}: unexpected error "ZeroDivisionError: a bug"\n'
        "tip: report it with what `SUTRA_TRACEBACK=1` shows before that line\n",
    )


def test_the_trace_of_a_bug_is_there_for_who_asks(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUTRA_TRACEBACK", "1")

    def main() -> int:
        raise ZeroDivisionError("a bug")

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == WRONG_CALL
    out, trace = capfd.readouterr()
    lines = trace.splitlines()
    line = main.__code__.co_firstlineno + 1
    assert out == ""
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-5:-2] == [
        f'  File "{__file__}", line {line}, in main',
        '    raise ZeroDivisionError("a bug")',
        "ZeroDivisionError: a bug",
    ]


@pytest.mark.parametrize("code", [0, 7])
def test_an_exit_of_mains_own_goes_on(code: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit as argparse does: 0 after `--help`, 2 after a wrong call."""

    def main() -> int:
        raise SystemExit(code)

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == code
    assert capfd.readouterr() == ("", "")


def test_the_message_is_what_str_shows() -> None:
    error = SutraError("engine: no answer", "run `make engine`")
    assert (str(error), error.message, error.tip) == (
        "engine: no answer",
        "engine: no answer",
        "run `make engine`",
    )


def test_several_problems_are_a_printable_line_each() -> None:
    error = ProblemsError(["NAME: taken", 'PORT: not a number "8\n0"'], "fix both")
    assert (error.message, error.tip) == ('NAME: taken\nPORT: not a number "8�0"', "fix both")
