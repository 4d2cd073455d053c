"""One clear line for each way in which a build can fail."""

from __future__ import annotations

import pytest

from scripts.build.failure import FULL as SPACE_TIP
from scripts.build.failure import failure
from scripts.common import platforms

STEP = """\
#12 [sutra-api builder 3/5] RUN pip install
#12 ERROR: process "/bin/sh -c pip install" did not complete successfully: exit code: 1
------
 > [sutra-api builder 3/5] RUN pip install:
0.412 {reason}
------
Dockerfile.prod:12
--------------------
ERROR: failed to solve: process "/bin/sh -c pip install" did not complete successfully: exit code: 1
"""
REGISTRY = """\
#3 [sutra-api internal] load metadata for docker.io/library/debian:trixie-slim
------
 > [sutra-api internal] load metadata for docker.io/library/debian:trixie-slim:
------
ERROR: failed to solve: debian:trixie-slim: failed to resolve source metadata for \
docker.io/library/debian:trixie-slim: failed to do request: dial tcp: no such host
"""
# the form of buildx 0.20 and newer
NEWER_STEP = STEP.replace("ERROR: failed to solve", "ERROR: failed to build: failed to solve")
NEWER_REGISTRY = """\
#2 [internal] load metadata for docker.io/library/debian:trixie-slim
#2 ERROR: failed to do request: Head "https://registry.example/v2/library/debian/manifests/\
trixie-slim": dial tcp 192.0.2.1:443: connect: connection refused
------
 > [internal] load metadata for docker.io/library/debian:trixie-slim:
------
python-prod.Dockerfile:14
--------------------
  14 | >>> FROM debian:${DEBIAN_VERSION} AS root
--------------------
ERROR: failed to build: failed to solve: debian:trixie-slim: failed to resolve source metadata for \
docker.io/library/debian:trixie-slim: failed to do request: Head \
"https://registry.example/v2/library/debian/manifests/trixie-slim": \
dial tcp 192.0.2.1:443: connect: connection refused

View build details: docker-desktop://dashboard/build/default/default/1: shown elsewhere
"""
DENIED = """\
ERROR: failed to solve: registry.test:5000/sutra/root:1: failed to resolve source metadata for \
registry.test:5000/sutra/root:1: pull access denied, repository does not exist or may require \
authorization: server message: insufficient_scope: authorization failed
"""


# a builder that was killed: its last step's line is not finished
GONE = """\
#10 6.854 Fetched 16.9 MB in 7s (2573 kB/s)
#10 6.854 Reading package lists...ERROR: target sutra-storage-server: failed to receive status: \
rpc error: code = Unavailable desc = error reading from server: EOF
"""
GONE_TIP = (
    "`docker buildx inspect default` shows its state; once it runs, run `make build` again: "
    "finished steps are cached"
)
# BuildKit 0.25 on an engine with the classic store
SCHEME = """\
#2 [context debian:trixie-slim] load metadata for docker.io/library/debian:trixie-slim@sha256:e06d
#2 ERROR: unknown scheme oci-layout: not found
------
 > [context debian:trixie-slim] load metadata for docker.io/library/debian:trixie-slim@sha256:e06d:
------
ERROR: failed to solve: failed to resolve source metadata for \
docker.io/library/debian:trixie-slim@sha256:e06d: unknown scheme oci-layout: not found
"""
# BuildKit 0.34 runs a generator of bills of materials: its output is not repeated below
GENERATOR = """\
#7 0.301 sutra: of a step that went well
#12 [linux/amd64] generating sbom using 127.0.0.1:5000/me/sutra-sbom-generator@sha256:4881
#12 1.421 sutra: sbom generator: OSError: no more
#12 1.421 tip: `docker buildx bake sutra-sbom-generator` builds the generator again
#12 ERROR: process "/opt/sutra/bin/python -m scripts.sbom.generator" did not complete \
successfully: exit code: 1
------
 > [linux/amd64] generating sbom using 127.0.0.1:5000/me/sutra-sbom-generator@sha256:4881:

------
ERROR: failed to solve: process "/opt/sutra/bin/python -m scripts.sbom.generator" did not \
complete successfully: exit code: 1
"""


@pytest.mark.parametrize(
    ("output", "message", "tip"),
    [
        (
            STEP.format(reason="error: no matching distribution"),
            'build: step failed "sutra-api builder 3/5": process "/bin/sh -c pip install" '
            "did not complete successfully: exit code: 1",
            "the step's own output is above; fix it, then run `make build` again",
        ),
        (
            STEP.format(reason="OSError: [Errno 28] no space left on device"),
            'build: no space left on the engine\'s disk at step "sutra-api builder 3/5"',
            SPACE_TIP,
        ),
        (
            "ERROR: failed to solve: write /var/lib/docker/x: no space left on device\n",
            'build: no space left on the engine\'s disk at step "the first step"',
            SPACE_TIP,
        ),
        (
            REGISTRY,
            'build: no registry served "debian:trixie-slim": no such host',
            "check the network, or `docker load` an archive of it, then run `make build` again",
        ),
        (
            NEWER_REGISTRY,
            'build: no registry served "debian:trixie-slim": connection refused',
            "check the network, or `docker load` an archive of it, then run `make build` again",
        ),
        (
            DENIED,
            'build: no registry served "registry.test:5000/sutra/root:1": authorization failed',
            "check the network, or `docker load` an archive of it, then run `make build` again",
        ),
        (
            NEWER_STEP.format(reason="error: no matching distribution"),
            'build: step failed "sutra-api builder 3/5": process "/bin/sh -c pip install" '
            "did not complete successfully: exit code: 1",
            "the step's own output is above; fix it, then run `make build` again",
        ),
        (
            NEWER_STEP.format(reason="OSError: [Errno 28] no space left on device"),
            'build: no space left on the engine\'s disk at step "sutra-api builder 3/5"',
            SPACE_TIP,
        ),
        (
            "ERROR: target sutra-x: failed to solve: rpc error: code = Unavailable\n",
            'build: step failed "the first step": rpc error: code = Unavailable',
            "the step's own output is above; fix it, then run `make build` again",
        ),
        (
            "ERROR: failed to connect to the docker API\n",
            'build: step failed "the first step": failed to connect to the docker API',
            "the step's own output is above; fix it, then run `make build` again",
        ),
        (
            NEWER_STEP.format(
                reason='sutra: ALPINE_MIRROR: "http://m.test": no index\n0.3 tip: check the address'
            ),
            'build: ALPINE_MIRROR: "http://m.test": no index',
            "check the address",
        ),
        (
            GENERATOR,
            "build: sbom generator: OSError: no more",
            "`docker buildx bake sutra-sbom-generator` builds the generator again",
        ),
        (
            GONE,
            'build: the builder "default" went away: error reading from server: EOF',
            GONE_TIP,
        ),
        (
            "ERROR: failed to list workers: Unavailable: connection error\n",
            'build: the builder "default" went away: '
            "failed to list workers: Unavailable: connection error",
            GONE_TIP,
        ),
        (
            "#1 [internal] waiting for connection\n#1 ERROR: context deadline exceeded\n------\n"
            " > [internal] waiting for connection:\n------\nERROR: context deadline exceeded\n",
            'build: the builder "default" went away: context deadline exceeded',
            GONE_TIP,
        ),
        (
            'ERROR: target builder: failed to solve: lease "0fefi20m7u3s": not found\n',
            'build: the builder "default" has lost its cache of "the first step": '
            'target builder: failed to solve: lease "0fefi20m7u3s": not found',
            "a cache returned wrong bytes: restart it (buildkitd or the engine), "
            "then run `make build` again",
        ),
        (
            SCHEME,
            'build: no registry served "debian:trixie-slim": not found',
            "check the network, or `docker load` an archive of it, then run `make build` again",
        ),
        (
            "",
            'build: step failed "the first step": no reason given',
            "the step's own output is above; fix it, then run `make build` again",
        ),
    ],
    ids=[
        "step",
        "no space",
        "no space at once",
        "registry",
        "newer registry",
        "denied",
        "newer step",
        "newer no space",
        "target",
        "engine",
        "a script's",
        "a generator's",
        "gone",
        "gone at once",
        "gone before",
        "lease",
        "scheme",
        "nothing",
    ],
)
def test_a_failed_build_is_one_clear_line(output: str, message: str, tip: str) -> None:
    error = failure(output.splitlines())
    assert (error.message, error.tip) == (message, tip)


FETCH = "Failed to fetch http://mirror.test/debian/"
APT = {
    f"{FETCH}pool/small_1.0_all.deb  404  Not Found [IP: 192.0.2.1 80]": (
        f"{FETCH}pool/small_1.0_all.deb 404 Not Found [IP: 192.0.2.1 80]"
    ),
    f"{FETCH}pool/small_1.0_all.deb  Hash Sum mismatch": (
        f"{FETCH}pool/small_1.0_all.deb Hash Sum mismatch"
    ),
    f"{FETCH}Packages  File has unexpected size (380 != 379). Mirror sync in progress?": (
        f"{FETCH}Packages File has unexpected size (380 != 379). Mirror sync in progress?"
    ),
    "The repository 'http://mirror.test/debian trixie InRelease' is not signed.": (
        "The repository 'http://mirror.test/debian trixie InRelease' is not signed."
    ),
    "Unable to locate package \x1b[2Jsmall": "Unable to locate package \ufffd[2Jsmall",
}


@pytest.mark.parametrize(("reason", "shown"), APT.items())
def test_what_apt_could_not_get_is_named(reason: str, shown: str) -> None:
    lines = STEP.format(reason=f"E: {reason}\n0.413 E: Some files failed to download")
    error = failure(lines.splitlines())
    assert (error.message, error.tip) == (
        f'build: step failed "sutra-api builder 3/5": apt: {shown}',
        "check the network and APT_MIRROR; while a mirror is being updated, wait some minutes",
    )


def test_a_script_s_own_message_comes_before_apt_s() -> None:
    lines = STEP.format(reason="E: Unable to locate package x\n0.413 sutra: builders.lock: no x")
    assert failure(lines.splitlines()).message == "build: builders.lock: no x"


def test_a_warning_of_apt_is_no_reason() -> None:
    lines = STEP.format(reason="W: Failed to fetch http://mirror.test/x  404")
    assert failure(lines.splitlines()).message.endswith("exit code: 1")


NO_WHEEL = "ERROR: No matching distribution found for intel-openmp==2025.0.4"


@pytest.mark.parametrize(
    ("architecture", "platform"), [("arm64", "linux/arm64"), ("", platforms.name_of(platforms.OWN))]
)
def test_a_package_without_a_wheel_of_the_platform_is_named(
    architecture: str, platform: str
) -> None:
    reason = f"ERROR: Could not find a version of x (from versions: none)\n1.2 {NO_WHEEL}"
    error = failure(STEP.format(reason=reason).splitlines(), architecture=architecture)
    assert (error.message, error.tip) == (
        'build: step failed "sutra-api builder 3/5": pip: no wheel of "intel-openmp==2025.0.4" '
        f"for {platform}",
        "`make lock PACKAGE=… UPGRADE=…` takes another version; docs/platforms.md",
    )


def test_an_index_that_does_not_answer_has_not_lost_a_wheel() -> None:
    reason = f"Could not fetch URL https://index.test/x/: There was a problem\n0.9 {NO_WHEEL}"
    error = failure(STEP.format(reason=reason).splitlines())
    assert (error.message, error.tip) == (
        'build: step failed "sutra-api builder 3/5": pip: the index did not answer for '
        '"intel-openmp==2025.0.4"',
        "check the network, PIP_INDEX_URL and CA_BUNDLE, then run `make build` again",
    )
