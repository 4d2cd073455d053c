"""Render kustomizations with the kubectl or kustomize that is installed."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

# the module that Go compiles once, and keeps, if neither program is installed
FROM_SOURCE = ("go", "run", "sigs.k8s.io/kustomize/kustomize/v5@v5.5.0", "build")


@cache
def renderer() -> tuple[str, ...]:
    """Return the command that renders a folder: kustomize 5, whatever carries it."""
    if kubectl := shutil.which("kubectl"):
        done = subprocess.run([kubectl, "version", "--client"], capture_output=True, text=True)
        if "Kustomize Version: v5" in done.stdout:
            return (kubectl, "kustomize")
    return ("kustomize", "build") if shutil.which("kustomize") else FROM_SOURCE


def rendered(folder: Path) -> list[dict[str, Any]]:
    """Return the objects of a kustomization."""
    done = subprocess.run([*renderer(), str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))
