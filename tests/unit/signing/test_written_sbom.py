"""A bill of materials is signed with an image only where it is about that image."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import SutraError
from scripts.signing import written_sbom

ID, PUSHED, OTHER = (f"sha256:{letter * 64}" for letter in "abc")
HEX = ID.removeprefix("sha256:")
FILE = "sutra-api.spdx.json"


def read(text: str | bytes) -> dict[str, Any] | None:
    Path(FILE).write_bytes(text if isinstance(text, bytes) else text.encode())
    return written_sbom.read("sutra-api", (ID, PUSHED), Path())


def document(**more: Any) -> str:
    """Return a document of another image."""
    image = {"SPDXID": "SPDXRef-image", "name": "other", "versionInfo": OTHER}
    relation = {
        "spdxElementId": "SPDXRef-DOCUMENT",
        "relationshipType": "DESCRIBES",
        "relatedSpdxElement": "SPDXRef-image",
    }
    namespace = f"https://spdx.org/spdxdocs/other-{OTHER[7:]}"
    other = {"documentNamespace": namespace, "packages": [image], "relationships": [relation]}
    return json.dumps({"spdxVersion": "SPDX-2.3", "name": "other", **other, **more})


def described(**package: Any) -> str:
    return document(packages=[{"SPDXID": "SPDXRef-image", **package}])


@pytest.mark.parametrize(
    "text",
    [
        document(documentNamespace=f"https://spdx.org/spdxdocs/sutra-api-{HEX}"),
        document(name=f"registry.example/team/sutra-api@{PUSHED}"),
        described(versionInfo=PUSHED),
        described(externalRefs=[{"referenceLocator": f"pkg:oci/sutra-api@sha256%3A{HEX}"}]),
        described(checksums=[{"algorithm": "SHA256", "checksumValue": HEX}]),
        document(
            documentDescribes=["SPDXRef-x"],
            relationships=None,
            packages=[{"SPDXID": "SPDXRef-x", "versionInfo": ID}],
        ),
    ],
)
def test_a_document_about_the_image(folder: Path, text: str) -> None:
    assert read(text) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"spdxVersion": "SPDX-2.3"}',
        document(),
        document(comment=f"takes the place of {ID}"),
        document(documentNamespace=f"urn:{HEX}f"),
        document(documentNamespace=f"urn:{HEX[1:]}"),
        document(files=[{"checksums": [{"checksumValue": HEX}]}]),
        described(comment=ID),
        document(packages=[{"SPDXID": "SPDXRef-of-the-image", "versionInfo": ID}]),
        document(relationships="SPDXRef-image", packages=ID),
    ],
)
def test_a_document_about_another_image(folder: Path, text: str) -> None:
    assert refused(text) == f"of another image, it does not name {ID}"


def refused(text: str | bytes) -> str:
    with pytest.raises(SutraError) as caught:
        read(text)
    assert caught.value.tip == (f"remove {FILE}, or make it again, then run the same command again")
    assert "\n" not in caught.value.message
    return caught.value.message.removeprefix(f"{FILE}: ")


OURS = f'"spdxVersion": "SPDX-2.3", "documentNamespace": "urn:{HEX}"'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "{",
            "cannot be read: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)",
        ),
        ("", "cannot be read: Expecting value: line 1 column 1 (char 0)"),
        (f'{{{OURS}, "x": NaN}}', 'cannot be read: not JSON: "NaN"'),
        (f'{{{OURS}, "x": -Infinity}}', 'cannot be read: not JSON: "-Infinity"'),
        (f'{{{OURS}, "documentNamespace": "urn:{OTHER}"}}', 'twice "documentNamespace"'),
        ("[]", "not an SPDX document of version 2"),
        (f'"{ID}"', "not an SPDX document of version 2"),
        (f'{{"spdxVersion": 2, "name": "{ID}"}}', "not an SPDX document of version 2"),
        (f'{{"spdxVersion": "SPDX-3.0", "name": "{ID}"}}', "not an SPDX document of version 2"),
        (f'{{"bomFormat": "CycloneDX", "name": "{ID}"}}', "not an SPDX document of version 2"),
        (b"\xff\xfe", "codec can't decode byte 0xff"),
    ],
)
def test_a_document_that_cannot_be_signed(folder: Path, text: str | bytes, problem: str) -> None:
    assert problem in refused(text)


def test_a_number_past_all_bounds_is_no_json(folder: Path) -> None:
    """It would be signed as "Infinity", which no reader of JSON takes."""
    assert refused(f'{{{OURS}, "x": 1e999}}').startswith(
        "cannot be read: Out of range float values are not JSON compliant"
    )


def test_a_document_as_deep_as_no_reader_goes(folder: Path) -> None:
    text = f'{{{OURS}, "x": {"[" * 100_000}{"]" * 100_000}}}'
    assert refused(text).startswith("cannot be read: ")


def test_there_may_be_none(folder: Path) -> None:
    assert written_sbom.read("sutra-api", (ID, PUSHED), Path()) is None
    os.mkdir(FILE)
    with pytest.raises(SutraError) as caught:
        written_sbom.read("sutra-api", (ID, PUSHED), Path())
    assert "Is a directory" in caught.value.message
