"""Labels that lead from a running image to its sources."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.checks.contents.rule import Finding, Rule, Subject, quoted
from scripts.common.labels import PREFIX

# https://specs.opencontainers.org/image-spec/annotations/
FORMS = {
    "title": r".+",
    "description": r".+",
    "version": r".+",
    "revision": r"[0-9a-f]{40,64}(-dirty)?",
    "created": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
    "base.name": r".+",
}


def labels(subject: Subject) -> Iterator[Finding]:
    """Find OCI labels that are missing or are not what the specification says."""
    for name, form in FORMS.items():
        value = subject.labels.get(PREFIX + name, "")
        key = f"label:{name}"
        if not value:
            yield Finding(key, f"no label {quoted(PREFIX + name)}")
        elif not re.fullmatch(form, value):
            yield Finding(key, f"label {PREFIX + name} is not what it should be {quoted(value)}")
        elif name == "title" and value != subject.name:
            yield Finding(key, f"label {PREFIX + name} is not the image's name {quoted(value)}")


RULES = (
    Rule(
        "labels",
        "the OCI labels title (the image's name), description, version, revision (a commit), "
        "created and base.name",
        labels,
    ),
)
