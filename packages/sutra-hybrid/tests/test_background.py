import asyncio
import subprocess
import sys
import threading

import pytest

from processes import environment
from sutra_hybrid import background

ENDLESS = """
import asyncio, time
from sutra_hybrid import background
async def main():
    asyncio.create_task(background.run(lambda: time.sleep(3600)))
    await asyncio.sleep(0.1)
asyncio.run(main())
"""


@pytest.mark.anyio
async def test_a_result_and_an_error_come_back() -> None:
    assert await background.run(lambda: threading.current_thread().name) == "index"
    with pytest.raises(ZeroDivisionError):
        await background.run(lambda: 1 // 0)


@pytest.mark.anyio
async def test_cancelled_it_goes_on_unheard() -> None:
    started, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        go_on.wait(20)
        ended.set()

    task = asyncio.create_task(background.run(work))
    await asyncio.to_thread(started.wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    assert await asyncio.to_thread(ended.wait, 20)


def test_the_process_does_not_wait_for_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
