"""What apt 2.6 of Debian 12 and apt 3 of forky said to the same mirrors."""

from __future__ import annotations

import pytest

from scripts.debian.apt_errors import LONGEST, TIP, UNSIGNED_TIP, reason, tip

AT = "http://127.0.0.1:40673/debian"
UNSIGNED = f"E: The repository '{AT} trixie InRelease' is not signed.\n"
LEFT_OUT = (
    "E: Some index files failed to download. They have been ignored, or old ones used instead.\n"
)
SQV = (
    f"W: Signature verification failed: {AT} trixie InRelease: Sub-process /usr/bin/sqv "
    "returned an error code (1), error message is: "
)


@pytest.mark.parametrize(
    ("said", "line", "helps"),
    [
        (
            f"W: GPG error: {AT} trixie InRelease: The following signatures were invalid: "
            f"BADSIG F502327168C9164D test@example.org\n{UNSIGNED}",
            f"GPG error: {AT} trixie InRelease: The following signatures were invalid: "
            "BADSIG F502327168C9164D test@example.org",
            UNSIGNED_TIP,
        ),
        (
            f"{SQV}Verifying signature:            Message has been manipulated\n{UNSIGNED}",
            f"Signature verification failed: {AT} trixie InRelease: "
            "Verifying signature: Message has been manipulated",
            UNSIGNED_TIP,
        ),
        (
            f"W: GPG error: {AT} trixie InRelease: The following signatures couldn't be verified "
            "because the public key is not available: NO_PUBKEY F502327168C9164D\n"
            f"{UNSIGNED}",
            f"GPG error: {AT} trixie InRelease: The following signatures couldn't be verified "
            "because the public key is not available: NO_PUBKEY F502327168C9164D",
            UNSIGNED_TIP,
        ),
        (
            f"{SQV}Missing key FB74BDB4, which is needed to verify signature.\n{UNSIGNED}",
            f"Signature verification failed: {AT} trixie InRelease: "
            "Missing key FB74BDB4, which is needed to verify signature.",
            UNSIGNED_TIP,
        ),
        (
            f'{SQV}Error: Failed to parse keyring "/k"  Caused by:     0: Reading "/k": EOF'
            f"     1: EOF\n{UNSIGNED}",
            f"Signature verification failed: {AT} trixie InRelease: "
            'Error: Failed to parse keyring "/k" Caused by: 0: Reading "/k": EOF 1: EOF',
            UNSIGNED_TIP,
        ),
        (
            f"E: The repository '{AT} trixie Release' is not signed.\n",
            f"The repository '{AT} trixie Release' is not signed.",
            UNSIGNED_TIP,
        ),
        (
            f"E: The repository '{AT} trixie Release' does not have a Release file.\n",
            f"The repository '{AT} trixie Release' does not have a Release file.",
            TIP,
        ),
        (
            "E: Failed to fetch http://me:hunter2@x/debian/dists/trixie/InRelease  Could not "
            f"connect to x:80 (127.0.0.1). - connect (111: Connection refused)\n{LEFT_OUT}",
            "Failed to fetch http://x/debian/dists/trixie/InRelease Could not "
            "connect to x:80 (127.0.0.1). - connect (111: Connection refused)",
            TIP,
        ),
        (
            "E: Failed to fetch http://me:hunter2@x/debian/dists/trixie/InRelease  "
            f"Unable to connect to x:80:\n{LEFT_OUT}",
            "Failed to fetch http://x/debian/dists/trixie/InRelease Unable to connect to x:80",
            TIP,
        ),
        (
            f"E: Failed to fetch http://x/debian/InRelease  Could not resolve 'x'\n{LEFT_OUT}",
            "Failed to fetch http://x/debian/InRelease Could not resolve 'x'",
            TIP,
        ),
        ("", "apt-get failed without a reason", TIP),
        # a mirror's own words are not apt's
        (f"E: x {UNSIGNED}", f"x {UNSIGNED}".strip(), TIP),
    ],
)
def test_a_reason_and_what_helps(said: str, line: str, helps: str) -> None:
    assert (reason(said), tip(said)) == (line, helps)


@pytest.mark.parametrize("count", [LONGEST, LONGEST + 1])
def test_a_reason_has_a_limit(count: int) -> None:
    assert reason("E: " + "x" * count) == "x" * LONGEST
