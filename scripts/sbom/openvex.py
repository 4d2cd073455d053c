"""Statements that a vulnerability does not affect an image, as OpenVEX 0.2.0.

The format: https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md. What is stated is derived
from the image each time; a kept document only says which questions to ask again.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.common.errors import SutraError
from scripts.common.labels import REVISION
from scripts.sbom import removed_parts
from scripts.sbom.components import Bill, image_purl
from scripts.sbom.cyclonedx import NAMESPACE
from scripts.sbom.made_at import made_at

CONTEXT = "https://openvex.dev/ns/v0.2.0"
VULNERABILITY = re.compile(
    r"CVE-\d{4}-\d{4,19}|GHSA(?:-[2-9cfghjmpqrvwx]{4}){3}|(?:PYSEC|RUSTSEC|GO)-\d{4}-\d{1,19}"
)


@dataclass(frozen=True, order=True)
class Question:
    """Does the vulnerability reach this image, if its code is in that part of a component?"""

    vulnerability: str
    purl: str
    part: str


def statement(bill: Bill, name: str, question: Question) -> dict[str, Any]:
    """Return the statement. Raises RefusedError where the image does not show it."""
    removed = removed_parts.find(bill, name, question.purl, question.part)
    notes = (
        f"part: {question.part}",
        f"rule: {removed.rule} of {removed.manifest}: {removed.why}",
        f"removed: {removed.files} files by that rule, in /{removed.report} of the image",
        f"build: {bill.image.labels.get(REVISION, 'unknown')}",
    )
    return {
        "vulnerability": {"name": question.vulnerability},
        "timestamp": made_at(bill.image),
        "products": [
            {"@id": image_purl(name, bill.image), "subcomponents": [{"@id": question.purl}]}
        ],
        "status": "not_affected",
        "justification": "vulnerable_code_not_present",
        "status_notes": "\n".join(notes),
    }


def document(bill: Bill, statements: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the document: the same image and questions have the same bytes."""
    content = json.dumps(statements, sort_keys=True)
    return {
        "@context": CONTEXT,
        "@id": f"urn:uuid:{uuid.uuid5(NAMESPACE, content)}",
        "author": "sutra",
        "timestamp": made_at(bill.image),
        "version": 1,
        "tooling": "make vex: derived from the image's layers and the report of its cleanup",
        "statements": list(statements),
    }


def questions(path: Path) -> list[Question]:
    """Return what a kept document answers, none without it. Raises SutraError for another form."""
    try:
        statements = json.loads(path.read_text(encoding="utf-8"))["statements"]
        return [_question(kept) for kept in statements]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise SutraError(
            f"{path}: not a document of `make vex`", "remove it, then state each again"
        ) from error


def _question(kept: dict[str, Any]) -> Question:
    first = str(kept["status_notes"]).partition("\n")[0]
    if not first.startswith("part: "):
        raise ValueError(first)
    (subcomponent,) = kept["products"][0]["subcomponents"]
    return Question(
        str(kept["vulnerability"]["name"]), str(subcomponent["@id"]), first.removeprefix("part: ")
    )
