"""Time and memory of an index, and what questions take, also while it is built.

    eg: PYTHONPATH=src:../sutra-service/src python bench.py 10000 100000

Texts are 40 words of 50,000, frequent ones more often; two associations a concept. Seconds are
those of the clock, then those of the processor (of this process and of the one that builds):
on a machine that does other things, the second ones are what to compare.
"""

import random
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sutra_hybrid.corpus import Corpus
from sutra_hybrid.snapshot import Snapshot, make
from sutra_service.client.storage import Association, Concept

WORDS = 50_000
QUESTIONS = 300


def text(chance: random.Random, count: int) -> str:
    """Return some words, those with low numbers more often."""
    return " ".join(f"w{int(WORDS * chance.random() ** 3):x}" for _ in range(count))


def corpus(count: int) -> Corpus:
    """Return a store of `count` concepts."""
    chance, result = random.Random(1), Corpus(1)
    for number in range(count):
        result.add(Concept(f"c{number:07}", text(chance, 40)))
    result.sort()
    for _ in range(2 * count):
        source, target = (f"c{chance.randrange(count):07}" for _ in range(2))
        kind = chance.choice(["is_a", "part_of", "likes"])
        result.link(Association(source, target, kind, chance.random()))
    return result


def seconds() -> float:
    """Return the processor's time of this process and its children, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


@contextmanager
def watched(gaps: list[float]) -> Iterator[None]:
    """Note how long a thread that does nothing is kept from running, in seconds."""
    ended = threading.Event()

    def beat() -> None:
        last = time.perf_counter()
        while not ended.wait(0.001):
            now = time.perf_counter()
            gaps.append(now - last - 0.001)
            last = now

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def quantiles(times: list[float]) -> str:
    """Return p50 and p99 in milliseconds."""
    times = sorted(times)
    return " / ".join(f"{times[int(len(times) * q)] * 1000:.1f}" for q in (0.5, 0.99))


def quantiles_of(ask: Callable[[str], object]) -> str:
    """Return p50 and p99 of some questions, by the clock, and the processor's time of one."""
    chance, times, start = random.Random(2), [], seconds()
    for _ in range(QUESTIONS):
        question = text(chance, 6)
        begun = time.perf_counter()
        ask(question)
        times.append(time.perf_counter() - begun)
    return f"{quantiles(times)} ms, processor {(seconds() - start) / QUESTIONS * 1000:.1f} ms"


def megabytes() -> float:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def measure(count: int) -> None:
    """Print what an index of `count` concepts takes."""
    store, gaps = corpus(count), list[float]()
    print(f"{count:,} concepts, {sum(map(len, store.texts.values())) / 1e6:.1f} MB of text")
    with watched(gaps):
        begun, used = time.perf_counter(), seconds()
        snapshot: Snapshot = make(store)
        took, used = time.perf_counter() - begun, seconds() - used
    other = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    print(f"  build             {took:.1f} s, processor {used:.1f} s")
    print(f"  answers held up   {quantiles(gaps)} ms, at most {max(gaps) * 1000:.0f} ms")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"  memory            {megabytes():.0f} MB, at most {peak:.0f} MB")
    print(f"  building process  at most {other:.0f} MB")
    print(f"  similar p50 / p99 {quantiles_of(lambda question: snapshot.similar(question, 10))}")
    named = quantiles_of(lambda question: snapshot.answer(f"{question} likes part of", 10))
    print(f"  ask p50 / p99     {named}")
    begun = time.perf_counter()
    make(store, snapshot)
    print(f"  same texts again  {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    for argument in sys.argv[1:] or ("10000", "100000"):
        measure(int(argument))
