"""State that a vulnerability does not affect an image, from the report of its cleanup (OpenVEX)."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.catalog import catalog
from scripts.catalog.catalog import Catalog
from scripts.common import arguments, files
from scripts.common.errors import CHECK_FAILED, OK, DiskError, SutraError
from scripts.image import inventory
from scripts.image.inventory import Inventory
from scripts.sbom import components, openvex, vex_requests
from scripts.sbom.components import Bill
from scripts.sbom.openvex import VULNERABILITY, Question
from scripts.sbom.removed_parts import RefusedError
from scripts.sbom.vex_requests import Request

FOLDER = Path(".build/vex")
ENDING = ".openvex.json"
ASKED = ("CVE", "PURL", "PART")
USAGE = "make vex IMAGE=sutra-hybrid CVE=CVE-2026-1234 PURL=pkg:pypi/scipy@1.18.0 PART=scipy/odr/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("image", nargs="?", help="an image of images.yaml; all with statements")
    parser.add_argument("reference", nargs="?", help="another image than NAME:prod, also a file")
    arguments.value(parser, "cve", "the vulnerability")
    arguments.value(parser, "purl", "the component, as in the image's bill of materials")
    arguments.value(parser, "part", "where its code is: a folder, module or library")


def main(options: argparse.Namespace) -> int:
    """Derive every kept statement again, and the new one; name those that no longer hold."""
    question = read_question(arguments.knobs(options))
    if question and not options.image:
        raise SutraError("vex: IMAGE: missing", USAGE)
    promises = catalog.load()
    kept = sorted(path.name.removesuffix(ENDING) for path in FOLDER.glob(f"*{ENDING}"))
    requests = [] if question else vex_requests.read(promises)
    asked_for = {request.image for request in requests}
    names = [options.image] if options.image else sorted({*kept, *asked_for})
    if not names:
        print(f"vex: no statements in {FOLDER}")
    codes = []
    for name in names:
        if name in asked_for:
            codes.append(_hold(promises, name, options.reference, requests))
        if name in kept or name not in asked_for:
            codes.append(_derive(promises, name, options.reference, question))
    return max(codes, default=OK)


def _hold(promises: Catalog, name: str, reference: str | None, requests: Sequence[Request]) -> int:
    """Print how much of what vex.yaml asks for holds of an image; a promotion writes it."""
    image = _image(promises, name, reference)
    _, refusals = vex_requests.derive(requests, image, name)
    for refusal in refusals:
        print(refusal.message, f"tip: {refusal.tip}", sep="\n", file=sys.stderr)
    number = sum(request.image == name for request in requests) - len(refusals)
    print(f"{vex_requests.FILE}: {number} not_affected of {name}, for the next promotion")
    return CHECK_FAILED if refusals else OK


def read_question(knobs: dict[str, str]) -> Question | None:
    """Return what is asked, None without CVE. Raises SutraError for half a question."""
    texts = [knobs.get(name, "").strip() for name in ASKED]
    if not any(texts):
        return None
    for name, text in zip(ASKED, texts, strict=True):
        if not text or not text.isprintable():
            raise SutraError(f"vex: {name}: {'not printable' if text else 'missing'}", USAGE)
    if not VULNERABILITY.fullmatch(texts[0]):
        raise SutraError(f'vex: CVE: not the name of a vulnerability "{texts[0]}"', USAGE)
    return Question(*texts)


def _derive(promises: Catalog, name: str, reference: str | None, new: Question | None) -> int:
    path = FOLDER / f"{promises.find(name).name}{ENDING}"
    questions = {*openvex.questions(path), *([new] if new else [])}
    if not questions:
        print(f"{name}: no statements")
        return OK
    bill = _bill(promises, name, reference)
    statements, refused = [], []
    for question in sorted(questions):
        try:
            statements.append(openvex.statement(bill, name, question))
        except RefusedError as error:
            refused.append((question, error))
    _write(path, bill, statements)
    for question, refusal in refused:
        fell = "" if question == new else f", so {question.vulnerability} is stated no more"
        print(refusal.message + fell, f"tip: {refusal.tip}", sep="\n", file=sys.stderr)
    return CHECK_FAILED if refused else OK


def _bill(promises: Catalog, name: str, reference: str | None) -> Bill:
    return components.of(_image(promises, name, reference))


def _image(promises: Catalog, name: str, reference: str | None) -> Inventory:
    image = promises.find(name)
    reference_or_own = reference or image.reference
    content = inventory.read(None, reference_or_own)
    if content is None:
        raise promises.not_built(image, reference_or_own)
    return content


def _write(path: Path, bill: Bill, statements: list[dict[str, object]]) -> None:
    """Write the document whole; without a statement there is none."""
    tip = f"`ls -ld {FOLDER}` says more"
    if not statements:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise DiskError(f'vex: cannot remove "{path}": {error.strerror}', tip) from error
        return
    files.write(path, json.dumps(openvex.document(bill, statements), indent=1) + "\n", "vex", tip)
    print(f"{path}: {len(statements)} not_affected")
