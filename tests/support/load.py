"""A load of writes that remembers the acknowledged ones, and recognises a partial write."""

from __future__ import annotations

import hashlib
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.stack import API, Services

WRITERS = 8


def concept(name: str) -> dict[str, Any]:
    """Return the body of a concept, all of which follows from its name; 64 B to 8 KB of text."""
    seed = hashlib.sha256(name.encode()).hexdigest()
    return {"text": seed * (1 + int(seed[:2], 16) // 2), "metadata": {"seed": seed}}


@dataclass
class Load:
    """Writers on threads; each chains its concepts by associations, one after another."""

    stack: Services
    concepts: set[str] = field(default_factory=set)
    links: set[tuple[str, str]] = field(default_factory=set)
    refused: int = 0
    surprises: list[object] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, writer: int) -> None:
        """Write until stopped; a write without an acknowledgement is never repeated."""
        number, before = 0, ""
        while not self.stopped.is_set():
            number += 1
            name = f"load-{writer}-{number:06}"
            if not self._put(f"/concepts/{name}", concept(name)):
                before = ""
                continue
            with self.lock:
                self.concepts.add(name)
            link = {"source": before, "target": name, "kind": "then", "weight": 0.5}
            if before and self._put("/associations", link):
                with self.lock:
                    self.links.add((before, name))
            before = name

    def _put(self, path: str, body: object) -> bool:
        try:
            answer = self.stack.try_ask(API, "PUT", path, body)
        except (OSError, http.client.HTTPException) as error:
            answer = None
            self.surprises.append(error)
        if answer is None or answer.status not in (200, 201):
            self.refused += 1
            if answer and answer.status != 503:
                self.surprises.append(answer)
            self.stopped.wait(0.02)
            return False
        return True

    def acknowledged(self) -> int:
        """Return how many writes were acknowledged so far."""
        with self.lock:
            return len(self.concepts) + len(self.links)


@contextmanager
def writing(stack: Services) -> Iterator[Load]:
    """Write from WRITERS threads at once, until the block ends."""
    load = Load(stack)
    threads = [threading.Thread(target=load.write, args=[number]) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stopped.set()
        for thread in threads:
            thread.join()


def stored(stack: Services) -> dict[str, dict[str, Any]]:
    """Return every concept that the stack holds: name → text and metadata."""
    bodies: dict[str, dict[str, Any]] = {}
    after = ""
    while True:
        page = stack.ask(API, "GET", f"/concepts?limit=500{after}")
        for row in page["concepts"]:
            bodies[row["id"]] = {"text": row["text"], "metadata": row["metadata"]}
        if page["next"] is None:
            return bodies
        after = f"&after={page['next']}"


def check(load: Load) -> None:
    """Check that every acknowledged write is there, and no other write in part."""
    bodies = stored(load.stack)
    assert load.concepts - bodies.keys() == set()
    assert [name for name, body in bodies.items() if body != concept(name)] == []
    seen = {name: _links(load.stack, name) for name in bodies}
    assert {link for link in load.links if link not in seen[link[0]]} == set()
    # a link is stored at both of its ends or at none
    everywhere = set().union(*seen.values())
    assert {link for link in everywhere if any(link not in seen[end] for end in link)} == set()


def _links(stack: Services, name: str) -> set[tuple[str, str]]:
    answer = stack.ask(API, "GET", f"/concepts/{name}/associations")
    return {
        (association["source"], association["target"]) for association in answer["associations"]
    }
