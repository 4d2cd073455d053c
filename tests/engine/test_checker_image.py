"""The image of the checker: built, held to its own promises, and used as docs/adopt.md says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.good_image import NAME, good

pytestmark = pytest.mark.long
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--network", "none")


@pytest.fixture(scope="module")
def checker(client: object) -> str:
    """Build, check and tag it; the engine keeps its layers."""
    command = [sys.executable, "-m", "scripts", "checker-image", "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return "sutra-images:latest"


def check(checker: str, folder: Path, words: Sequence[str]) -> tuple[int, str, str]:
    """Run the image on a folder, without engine and network."""
    mounted = ("--volume", f"{folder}:/work:ro")
    done = subprocess.run(
        ["docker", "run", "--rm", *HARDENED, *mounted, checker, *words],
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def test_it_checks_a_file_without_engine_or_network(checker: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)  # the checker runs as another user
    good().save(tmp_path / "image.tar")
    catalogue = tmp_path / "images.yaml"
    promise = f"images:\n  {NAME}: {{tag: 'archive:image.tar', budget: {{installed: {{}}}}}}\n"
    catalogue.write_text(promise.replace("{}", "1 MB"))
    code, shown, _ = check(checker, tmp_path, ["verify"])
    assert (code, "ok" in shown) == (0, True)
    catalogue.write_text(promise.replace("{}", "1 B"))
    code, _, said = check(checker, tmp_path, ["verify"])
    assert code == 1
    assert f"images.yaml: images.{NAME}.budget.installed: over budget" in said
    catalogue.write_text(promise.replace("{}", "much"))
    code, _, said = check(checker, tmp_path, ["verify"])
    assert code == 2
    assert "Traceback" not in said


def test_it_says_what_is_not_there(checker: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    code, _, said = check(checker, tmp_path, ["verify"])
    assert (code, said.splitlines()[0]) == (2, "images.yaml: no such file")
    assert check(checker, tmp_path, ["--version"])[:2] == (0, "sutra-images from a checkout\n")
