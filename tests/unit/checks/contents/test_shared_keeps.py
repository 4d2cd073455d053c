from __future__ import annotations

import pytest

from scripts.checks.contents.shared_keeps import is_kept

SITE = "opt/sutra/lib/python3.13/site-packages"


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (f"{SITE}/numpy/_core/tests/_natype.pyc", True),
        (f"{SITE}/numpy/_core/tests/_natype.py", True),
        (f"{SITE}/boto3/docs/resource.pyc", True),
        (f"{SITE}/numpy/_core/tests/test_umath.pyc", False),
        ("app/numpy/_core/tests/_natype.py", False),
        ("app/node_modules/yaml/dist/doc/Document.js", True),
        ("app/node_modules/yaml/dist/doc/Document.d.ts", False),
        ("app/node_modules/other/dist/doc/Document.js", False),
        ("app/yaml/dist/doc/Document.js", False),
    ],
)
def test_verify_agrees_with_the_shared_rules(path: str, kept: bool) -> None:
    assert is_kept(path) is kept
