"""Blobs and manifests of our own in a registry: stored by their digests, read back and compared."""

from __future__ import annotations

from scripts.oci.manifest import digest_of
from scripts.oci.registry_tags import Registry


class ArtifactRegistry(Registry):
    """A registry that also takes what no engine pushes."""

    def document(self, reference: str) -> tuple[str, bytes] | None:
        """Return digest and bytes of the manifest that a tag is on, or None."""
        stored = self._manifest(*self._split(reference))
        return (stored[0], stored[2]) if stored else None

    def put_blob(self, image: str, data: bytes) -> None:
        """Store a blob in the image's repository, if it is not there."""
        place, digest = self.place(image), digest_of(data)
        if not self.has_blob(place, digest):
            self.upload(place, digest, data)

    def put_manifest(self, image: str, kind: str, data: bytes) -> None:
        """Store a manifest by its digest, without a tag."""
        place, digest = self.place(image), digest_of(data)
        self.put_by_digest(place, digest, kind, data)
        if not self.has(place, digest):
            raise self._error(f'push {digest} to "{place}"', "it is not there afterwards")
