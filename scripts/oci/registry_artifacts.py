"""Blobs and manifests of our own in a registry: stored by their digests, read back and compared.

Source: OCI distribution specification 1.1, "Pushing blobs" and "Pushing manifests".
"""

from __future__ import annotations

import hashlib
from urllib.parse import urljoin, urlsplit

from scripts.common.errors import RegistryError
from scripts.oci.registry_tags import Registry


class ArtifactRegistry(Registry):
    """A registry that also takes what no engine pushes."""

    def document(self, reference: str) -> tuple[str, bytes] | None:
        """Return digest and bytes of the manifest that a tag is on, or None."""
        found = self._manifest(*self._split(reference))
        return (found[0], found[2]) if found else None

    def put_blob(self, image: str, data: bytes) -> None:
        """Store a blob in the image's repository, if it is not there."""
        repository, digest = self._repository(image), _digest(data)
        shown = f'store {digest} in "{self.address}/{image}"'
        path = f"/v2/{repository}/blobs/"
        if self._ask("HEAD", path + digest, repository)[0].status_code == 200:
            return
        answer, _ = self._ask("POST", f"{path}uploads/", repository, b"")
        self._expect(answer, 202, shown)
        place = urlsplit(urljoin(path, answer.headers.get("Location", "")))
        if place.netloc not in ("", self._server):
            raise self._error(shown, f'it wants the bytes at another server "{place.netloc}"')
        query = "&".join(filter(None, (place.query, f"digest={digest}")))
        kind = {"Content-Type": "application/octet-stream"}
        answer, _ = self._ask("PUT", f"{place.path}?{query}", repository, data, kind)
        self._expect(answer, 201, shown)

    def put_manifest(self, image: str, kind: str, data: bytes) -> None:
        """Store a manifest by its digest, without a tag."""
        repository, digest = self._repository(image), _digest(data)
        shown = f'store {digest} in "{self.address}/{image}"'
        path = f"/v2/{repository}/manifests/{digest}"
        answer, _ = self._ask("PUT", path, repository, data, {"Content-Type": kind})
        self._expect(answer, 201, shown)
        if self._manifest(repository, digest) is None:
            raise RegistryError(
                f"registry: cannot {shown}: it is not there afterwards",
                "retry, or ask the registry's administrators",
            )


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
