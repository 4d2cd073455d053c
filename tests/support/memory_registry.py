"""A registry in memory, or in a file if it must outlive a process."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.common.errors import SutraError
from scripts.oci.manifest import digest_of
from scripts.oci.registry_tags import CannotDeleteError


class MemoryRegistry:
    """Tags → digests, "host/path/image:tag" each; `fail_at` is the tag at which it goes away.

    It is away for `away` more requests then. Without `deletes` it removes no tag.
    """

    def __init__(self, address: str = "localhost/team", file: Path | None = None) -> None:
        self.address, self.file = address, file
        self.digests: dict[str, str] = {}
        self.moves: list[str] = []
        self.fail_at, self.away, self.deletes = "", 0, True

    def reference(self, image: str, tag: str) -> str:
        return f"{self.address}/{image}:{tag}"

    def push(self, reference: str, digest: str) -> None:
        self.digests[reference] = digest
        self.save()

    def digest(self, reference: str) -> str | None:
        self._reached()
        return self.digests.get(reference)

    def tags(self, image: str) -> set[str]:
        self._reached()
        start = self.reference(image, "")
        return {name.removeprefix(start) for name in self.digests if name.startswith(start)}

    def move(self, reference: str, digest: str) -> None:
        if reference == self.fail_at:
            self.fail_at, self.away = "", self.away + 1
        self._reached()
        assert digest in self.digests.values()
        self.digests[reference] = digest
        self.moves.append(reference)
        self.save()

    def document(self, reference: str) -> tuple[str, bytes] | None:
        self._reached()
        digest = self.digests.get(reference)
        return (digest, b'{"layers": []}') if digest else None

    def put_blob(self, image: str, data: bytes) -> None:
        self._reached()

    def put_manifest(self, image: str, kind: str, data: bytes) -> None:
        self._reached()
        digest = digest_of(data)
        self.digests[f"{self.address}/{image}@{digest}"] = digest
        self.save()

    def remove(self, reference: str) -> None:
        self._reached()
        if not self.deletes:
            raise CannotDeleteError(f'registry: does not remove tags "{reference}"')
        self.digests.pop(reference, None)
        self.save()

    def load(self) -> None:
        if self.file:
            self.digests = json.loads(self.file.read_text())

    def save(self) -> None:
        if self.file:
            partial = self.file.with_suffix(".new")
            partial.write_text(json.dumps(self.digests))
            partial.replace(self.file)

    def _reached(self) -> None:
        if self.away:
            self.away -= 1
            raise SutraError("registry: away", "wait")
