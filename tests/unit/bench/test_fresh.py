"""A fresh node's pull: the twin that no engine has, and the registry that sends at a rate."""

from __future__ import annotations

import gzip
import io
import json
import socket
import tarfile
import threading
import time
from collections import Counter
from typing import Any

import pytest
import requests
from rich.console import Console

from scripts.bench import fresh, paced_registry, twin
from scripts.checks.sizes.fresh import Node
from scripts.common.errors import SutraError
from scripts.oci.manifest import digest_of
from tests.unit.fakes import FakeEngine, tar_of

LAYERS = (tar_of({"etc/passwd": b"root"}), tar_of({"app/main": b"1" * 9000}))
CONFIG = {"os": "linux", "rootfs": {"type": "layers", "diff_ids": [*map(digest_of, LAYERS)]}}


def saved(*layers: bytes) -> tarfile.TarFile:
    """Return what `docker save` writes of an image with these layers, as they are stored."""
    names = [f"blobs/sha256/{digest_of(layer)[7:]}" for layer in layers]
    listing = json.dumps([{"Config": "config", "Layers": names}]).encode()
    files = {"manifest.json": listing, "config": json.dumps(CONFIG).encode()}
    return tarfile.open(fileobj=io.BytesIO(tar_of(files | dict(zip(names, layers, strict=True)))))


def packed(layer: bytes) -> bytes:
    return gzip.compress(layer, mtime=0)


@pytest.mark.parametrize("stored", [lambda layer: layer, packed], ids=["classic", "containerd"])
def test_a_twin_has_the_same_files_under_other_digests(stored: Any) -> None:
    copied = twin.of(saved(*map(stored, LAYERS)), b"\1\2\3\4")
    manifest = json.loads(copied.manifest)
    blobs = [copied.blobs[layer["digest"]] for layer in manifest["layers"]]
    assert [layer["size"] for layer in manifest["layers"]] == [len(blob) for blob in blobs]
    assert not {digest_of(packed(layer)) for layer in LAYERS} & copied.blobs.keys()
    first, second = map(gzip.decompress, blobs)
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        assert archive.getnames() == [twin.FILE, "etc/passwd"]
        added = archive.extractfile(twin.FILE)
        assert added
        assert added.read() == b"\1\2\3\4"
    assert second == LAYERS[1]
    config = json.loads(copied.blobs[manifest["config"]["digest"]])
    assert config["rootfs"]["diff_ids"] == [digest_of(first), digest_of(second)]
    assert config["os"] == "linux"


def test_no_two_twins_share_a_blob() -> None:
    first, other = (twin.of(saved(*map(packed, LAYERS)), nonce) for nonce in (b"1111", b"2222"))
    assert not first.blobs.keys() & other.blobs.keys()


def test_a_registry_serves_the_twin() -> None:
    copied = twin.of(saved(*LAYERS), b"1234")
    with paced_registry.served({"api": copied}, 10**9) as address:
        root = f"http://{address}/v2/"
        assert requests.get(root, timeout=5).status_code == 200
        response = requests.get(f"{root}api/manifests/latest", timeout=5)
        assert (response.content, response.headers["Content-Type"]) == (
            copied.manifest,
            twin.MANIFEST,
        )
        digest = response.headers["Docker-Content-Digest"]
        again = requests.head(f"{root}api/manifests/{digest}", timeout=5)
        assert (again.content, again.headers["Content-Length"]) == (b"", str(len(copied.manifest)))
        for digest, data in copied.blobs.items():
            assert requests.get(f"{root}api/blobs/{digest}", timeout=5).content == data
        assert requests.get(f"{root}other/manifests/latest", timeout=5).status_code == 404


def test_what_was_sent_is_counted_before_a_client_has_it_all() -> None:
    class Slow(Counter[str]):
        def __setitem__(self, path: str, count: int) -> None:
            time.sleep(0.2)
            super().__setitem__(path, count)

    sent, data = Slow(), b"x" * 1000
    copied = twin.Twin(b"{}", {digest_of(data): data})
    with paced_registry.served({"api": copied}, 10**9, sent) as address:
        path = f"/v2/api/blobs/{digest_of(data)}"
        assert requests.get(f"http://{address}{path}", timeout=5).content == data
        assert dict(sent) == {path: 1000}


def test_an_engine_that_asks_by_tls_hears_that_it_is_plain_http() -> None:
    """Go looks for these five bytes before it says so, and engines go on with HTTP then."""
    with paced_registry.served({}, 10**9) as address:
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(b"\x16\x03\x01\x00\x05hello\r\n\r\n")
            assert client.recv(5) == b"HTTP/"


def test_all_connections_together_get_the_rate() -> None:
    """300 kB at 1 MB/s take 0.3 s, however many ask at once."""
    data = b"x" * 150_000
    copied = twin.Twin(b"{}", {digest_of(data): data})
    with paced_registry.served({"api": copied}, 1_000_000) as address:
        url = f"http://{address}/v2/api/blobs/{digest_of(data)}"
        threads = [threading.Thread(target=requests.get, args=(url,)) for _ in range(2)]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 0.3 <= time.monotonic() - begun < 3


def test_an_engine_elsewhere_cannot_pull_from_here(engine: FakeEngine) -> None:
    engine.base_url = "http://far:2375"
    not_read: Any = None
    with pytest.raises(SutraError) as caught:
        fresh.measure(engine, not_read)
    assert (caught.value.message, caught.value.tip) == (
        "bench: the engine is on another machine, which cannot pull from this one's loopback",
        "run it where the engine runs",
    )


def test_what_was_measured_is_beside_what_is_derived() -> None:
    row = fresh.Row("sutra-api", 1500, 700, Node(1240, 400, 5000), 7000)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(fresh.table([row], 12_500_000))
    text = console.export_text()
    assert "on a fresh node that pulls 12.5 MB a second" in text
    (line,) = [line for line in text.splitlines() if "sutra-api" in line]
    cells = [cell.strip() for cell in line.split("│")[1:-1]]
    assert cells == ["sutra-api", "1.50 s", "0.70 s", "2.20 s", "6.64 s", "7.00 s"]
