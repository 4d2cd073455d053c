"""Where a root image comes from: the engine, its registry, or a bootstrap of our own.

A root that the engine holds is left to BuildKit. One that its registry serves is pulled
first: what BuildKit alone pulled is forgotten when the registry is gone. Where no registry
answers, Debian is bootstrapped from signed packages by mmdebstrap into an OCI layout, which
bake takes as a named context.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.build import root_store
from scripts.common import durations, settings
from scripts.common import reference as references
from scripts.common.errors import SutraError
from scripts.engine import builders, images, process, registries
from scripts.engine import client as engine
from scripts.engine.builders import Builder

CACHE = Path(".cache/roots")
# A registry that is up answers in well under a second; one that is not must not cost minutes.
REGISTRY_SECONDS = 5
# A root is 30 MB: 100 kB a second.
PULL_SECONDS = 300
# What mmdebstrap unpacks in TMPDIR, with the archive that it makes of it.
UNPACKED_BYTES = 600_000_000
OTHER_FOLDER = "name another folder: `TMPDIR=/var/tmp make prod`"
# The time of every file of a bootstrapped root. Not 0: ZIP files begin with 1980.
STAMP = datetime(1980, 1, 1, tzinfo=UTC)
# A day of http://snapshot.debian.org as a mirror.
SNAPSHOT = re.compile(r"(.+)/debian/(\d+T\d+Z)/?")
# What makes Debian "slim": documentation stays out, licences stay in.
SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/lintian/*",
)


def root_image(plan: Mapping[str, Any]) -> str:
    """Return the root image that the plan builds on ("debian:trixie-slim"), or "".

    Raises SutraError for a BASE that no Dockerfile has a stage for.
    """
    for target in plan["target"].values():
        if base := target.get("args", {}).get("BASE"):
            settings.refuse_base(base)
            return f"{base}:{target['args'][f'{base.upper()}_VERSION']}"
    return ""


def context(
    client: engine.Client,
    image: str,
    cache: Path = CACHE,
    fresh: bool = False,
    builder: Builder = builders.OWN,
) -> str:
    """Return the bake context for the root `image` ("debian:trixie-slim").

    An empty string leaves the image to BuildKit. Otherwise it is a root that was
    bootstrapped here: now, or by an earlier call, whose layout is reused unless `fresh`.
    Raises SutraError when there is no way to get the root.
    """
    layout = cache / image.replace(":", "-")
    # another builder does not see the engine's images
    held = builder.is_engine and images.inspect(client, image) is not None
    if held and not fresh:
        return ""
    if fresh or not (layout / "index.json").exists():
        refusal = registries.registry_refusal(image, REGISTRY_SECONDS)
        if not refusal and builder.is_engine:
            refusal = pull(image)
        if not refusal:
            shutil.rmtree(layout, ignore_errors=True)  # a bootstrap of when no registry answered
            return ""
        _say(f"{image}: no registry serves it ({refusal})")
        if held:
            return ""
        bootstrap(image, layout)
    return root_store.context(client, image, layout, builder)


def digest(client: engine.Client, image: str, bootstrapped: bool, cache: Path = CACHE) -> str:
    """Return the digest of the root that `context` chose, "" where only its builder knows it."""
    if bootstrapped:
        return root_store.digest(cache / image.replace(":", "-"))
    return min(images.digests(client, image), default="")


def pull(image: str) -> str:
    """Have the engine keep the root; return "", or why it was not pulled in time."""
    _say(f"{image}: pulling it")
    with durations.step(f"pull {image}"):
        return registries.pull_refusal(image, PULL_SECONDS)


def bootstrap(image: str, layout: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Build `debian:SUITE-slim` from signed packages into the OCI layout `layout`.

    The folder appears whole or not at all. Raises SutraError for a root that
    cannot be bootstrapped and for a bootstrap that failed.
    """
    named = references.tagged(image)
    if named is None or named.name != "debian":
        raise SutraError(
            f'roots: cannot bootstrap "{image}", and no registry serves it',
            f"`docker load` an archive of {image}, or build with BASE=debian",
        )
    _require_mmdebstrap()
    _require_temporary_folder(environment)
    _say(
        f"{image}: bootstrapping it from Debian's signed packages (once; `make roots` refreshes it)"
    )
    with durations.step(f"bootstrap {image}"):
        _write_root(named.tag, layout, environment)
    _say(f"{image}: bootstrapped")


def _write_root(tag: str, layout: Path, environment: Mapping[str, str]) -> None:
    """Put the root image `tag` at `layout`, whole or not at all."""
    layout.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=layout.parent, prefix=".partial-") as folder:
        try:
            root = Path(folder) / "root.tar"
            _mmdebstrap(tag.removesuffix("-slim"), root, environment)
            whole = Path(folder) / "layout"
            write_layout(root, whole, tag)
            shutil.rmtree(layout, ignore_errors=True)
            whole.rename(layout)
        except OSError as error:
            raise SutraError(
                f'roots: cannot write "{layout}": {error.strerror}',
                "free some space (`df -h .`), then run `make roots` again",
            ) from error


def _require_temporary_folder(environment: Mapping[str, str]) -> None:
    """Raise SutraError where mmdebstrap would blame the mirror for a folder that is too small."""
    folder = environment.get("TMPDIR") or "/tmp"  # noqa: S108 - mmdebstrap's own default
    try:
        system = os.statvfs(folder)
    except OSError as error:
        raise SutraError(f'roots: TMPDIR: {error.strerror} "{folder}"', OTHER_FOLDER) from error
    free = system.f_bavail * system.f_frsize
    if system.f_flag & os.ST_NOEXEC:
        raise SutraError(f'roots: TMPDIR: mounted noexec "{folder}"', OTHER_FOLDER)
    if free < UNPACKED_BYTES:
        raise SutraError(
            f'roots: TMPDIR: {free / 1e6:.0f} MB free in "{folder}", '
            f"{UNPACKED_BYTES / 1e6:.0f} MB needed",
            f"free some space there, or {OTHER_FOLDER}",
        )


def _require_mmdebstrap() -> None:
    if shutil.which("mmdebstrap"):
        return
    # uidmap: what mmdebstrap needs to work without root
    command = ["scripts/install.sh", "mmdebstrap", "debian-archive-keyring", "uidmap"]
    if subprocess.run(command, check=False).returncode:
        raise SutraError(
            "roots: no registry answers, and mmdebstrap is not installed",
            "install the package mmdebstrap, then run `make roots`",
        )


def _mmdebstrap(suite: str, tar: Path, environment: Mapping[str, str]) -> None:
    """Write the root of `suite` to `tar`; main, updates and security, signatures checked."""
    command = ["mmdebstrap", "--variant=minbase", "--format=tar"]
    command += [f"--dpkgopt={option}" for option in SLIM]
    if bundle := environment.get("CA_BUNDLE"):
        command.append(f'--aptopt=Acquire::https::CaInfo "{Path(bundle).resolve()}"')
    if SNAPSHOT.fullmatch(environment.get("APT_MIRROR", "")):
        # the index of a day is past its time by intention; its signature still counts
        command.append('--aptopt=Acquire::Check-Valid-Until "false"')
    command += [suite, str(tar)]
    if mirror := environment.get("APT_MIRROR", "").rstrip("/"):
        command += [
            f"deb {mirror} {suite} main",
            f"deb {mirror} {suite}-updates main",
            f"deb {_security(mirror)} {suite}-security main",
        ]
    # mmdebstrap takes it for every file that is younger
    epoch = {"SOURCE_DATE_EPOCH": str(int(STAMP.timestamp()))}
    code, lines = process.tee(command, {**os.environ, **epoch})
    if code:
        causes = [line for line in lines if re.search(r"^(E|Err):|No space left", line)]
        reason = re.sub(r".*\b(E|Err): ", "", (causes or lines or ["no output"])[0]).strip()
        raise SutraError(
            f'roots: bootstrap of "{suite}" failed: {reason}',
            "check the network, APT_MIRROR and `df -h`, then run `make roots` again",
        )


def _security(mirror: str) -> str:
    """Return where a mirror's security suite is, as base-images/lib/apt.sh has it."""
    if found := SNAPSHOT.fullmatch(mirror):
        return f"{found[1]}/debian-security/{found[2]}"
    return f"{mirror}-security"


def write_layout(root: Path, layout: Path, tag: str) -> None:
    """Make an OCI image layout of one gzip layer from the tar file `root`.

    Source: OCI image-spec, image-layout.md and config.md.
    """
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    packed, diff_id = blobs / "packed", hashlib.sha256()
    with root.open("rb") as source, gzip.GzipFile(packed, "wb", compresslevel=1, mtime=0) as sink:
        while chunk := source.read(1 << 20):
            diff_id.update(chunk)
            sink.write(chunk)
    with packed.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    packed.rename(blobs / digest)
    layer = _descriptor("layer.v1.tar+gzip", digest, (blobs / digest).stat().st_size)
    config = _write_blob(blobs, "config.v1+json", _config(f"sha256:{diff_id.hexdigest()}"))
    manifest = _write_blob(
        blobs,
        "manifest.v1+json",
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": [layer],
        },
    )
    manifest["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))


def _config(diff_id: str) -> dict[str, Any]:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    return {
        # not now: the same packages are the same image, whenever they are unpacked
        "created": STAMP.isoformat(),
        "architecture": machine,
        "os": "linux",
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Cmd": ["bash"],
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created_by": "mmdebstrap --variant=minbase"}],
    }


def _write_blob(blobs: Path, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    data = json.dumps(content, sort_keys=True).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return _descriptor(kind, digest, len(data))


def _descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {
        "mediaType": f"application/vnd.oci.image.{kind}",
        "digest": f"sha256:{digest}",
        "size": size,
    }


def _say(line: str) -> None:
    print(f"roots: {line}", file=sys.stderr, flush=True)
