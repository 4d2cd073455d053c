"""Give the tests of a family of rules, judging.Forbids and judging.Passes, their images."""

from __future__ import annotations

import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test of a family once for each image that its class names."""
    if "message" in metafunc.fixturenames and hasattr(metafunc.cls, "failing"):
        metafunc.parametrize(("rule", "message", "image"), metafunc.cls.failing)
    elif "image" in metafunc.fixturenames and hasattr(metafunc.cls, "passing"):
        metafunc.parametrize("image", metafunc.cls.passing)
