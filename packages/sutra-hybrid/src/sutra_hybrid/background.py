"""Work in a thread that ends with the process, whatever it is at.

Threads of asyncio's own pool are waited for at the end: a long build would outlast the seconds
that a container gets to stop.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def run(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises; cancelled, it goes on unheard."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(settle: Callable[[], None]) -> None:
        if not done.cancelled():
            settle()

    def target() -> None:
        try:
            settle = partial(done.set_result, work())
        except BaseException as error:
            settle = partial(done.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended: nobody waits
            loop.call_soon_threadsafe(tell, settle)

    threading.Thread(target=target, name="index", daemon=True).start()
    return await done
