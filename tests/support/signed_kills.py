"""Promotions that sign with cosign into a registry, killed like those of tests.support.kills.

    python -m tests.support.signed_kills WORD FOLDER SEED COUNT REGISTRY KEY PUBLIC_KEY

After each kill and the command that follows it, the registry's tags are what the ledger says, and
every image that was promoted has its signature and its statements, and no other image has any.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from scripts.history import ledger
from scripts.oci.registry_artifacts import ArtifactRegistry
from scripts.promotion import planned
from scripts.signing import attached
from tests.support import cosign, kills
from tests.support.tiny import Group

SUFFIXES = ("sig", "att")


class SignedRun(kills.Run):
    """The same commands, with a registry and a key."""

    def __init__(self, address: str, key: str, public: str, group: Group, seed: int) -> None:
        super().__init__(group, seed)
        group.write_bake_file()  # a provenance names its targets
        self.key, self.public, self.address = key, public, address
        self.knobs = {"REGISTRY": address}
        self.registry = ArtifactRegistry(group.client, address)
        self.verified: set[str] = set()

    def check(self, earlier: list[ledger.Entry]) -> bool:
        """Check the engine, then the registry's tags and signatures."""
        is_new = super().check(earlier)
        entries = ledger.read()
        for name in self.group.names:
            tags = {tag for tag in self.registry.tags(name) if not tag.startswith(planned.KEPT)}
            digests = {entry.images[name].digest for entry in entries if name in entry.images}
            signed = {
                attached.tag_of(content, suffix) for content in digests for suffix in SUFFIXES
            }
            assert {tag for tag in tags if tag.endswith(SUFFIXES)} == signed
            expected = {
                tag: entries[number - 1].images[name].digest
                for tag, number in ledger.state(entries).items()
                if (name, tag) != (self.group.base, "latest")
            }
            there = {tag: self.registry.digest(self.registry.reference(name, tag)) for tag in tags}
            assert {tag: image for tag, image in there.items() if tag not in signed} == expected
            for digest in sorted(digests):
                self.verify(f"{self.address}/{name}@{digest}")
        return is_new

    def verify(self, reference: str) -> None:
        """Have cosign verify a signature and a provenance, once for each image."""
        if reference in self.verified:
            return
        options = ["--key", self.public, "--insecure-ignore-tlog=true", "--allow-http-registry"]
        for words in (["verify"], ["verify-attestation", "--type", "slsaprovenance1"]):
            command = ["cosign", *words, *options, reference]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        self.verified.add(reference)


def main(word: str, folder: str, seed: str, count: str, *place: str) -> None:
    """Kill `count` commands at random lines; print the figures."""
    os.environ["PATH"] = cosign.on_path(Path(folder) / ".bin")
    os.environ["COSIGN_PASSWORD"] = cosign.PASSWORD
    address, key, public = place
    kills.main(word, folder, seed, count, partial(SignedRun, address, key, public))


if __name__ == "__main__":
    main(*sys.argv[1:])
