"""Render kustomizations with the kubectl or kustomize that is installed."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.support import go_program

# Folder whose go.mod names the kustomize (5.5.0) that Go compiles where neither program is there.
MODULE = ROOT / "tests/kubernetes/kustomize"
PACKAGE = "sigs.k8s.io/kustomize/kustomize/v5"


@cache
def renderer() -> tuple[str, ...]:
    """Return the command that renders a folder: kustomize 5, whatever carries it."""
    if kubectl := shutil.which("kubectl"):
        done = subprocess.run([kubectl, "version", "--client"], capture_output=True, text=True)
        if "Kustomize Version: v5" in done.stdout:
            return (kubectl, "kustomize")
    if program := shutil.which("kustomize"):
        return (program, "build")
    # compiled once for all workers, which takes 55 s of processor time
    return (str(go_program.kept("kustomize", MODULE, PACKAGE, quickly=True)), "build")


def rendered(folder: Path) -> list[dict[str, Any]]:
    """Return the objects of a kustomization."""
    done = subprocess.run([*renderer(), str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))
