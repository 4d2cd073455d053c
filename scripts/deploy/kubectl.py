"""Run kubectl; a failure is one clear line."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scripts.common.errors import SutraError
from scripts.common.text import printable

PROGRAM = "kubectl"
# for one answer of the cluster
REQUEST_SECONDS = 20
# for a whole command, which may ask many times
SECONDS = 120
# the line of kubectl's output that holds the reason
REASON = re.compile(r"^(?:error|Error from server|The |Unable to connect)", re.IGNORECASE)


class KubectlError(SutraError):
    """kubectl is not there, the cluster does not answer, or it refuses.

    `reason` is its own line about it.
    """

    def __init__(self, message: str, tip: str, reason: str = "") -> None:
        super().__init__(message, tip)
        self.reason = reason


@dataclass(frozen=True)
class Kubectl:
    """The cluster of kubectl's current context, and a namespace in it."""

    namespace: str

    def run(self, *words: str, input_text: str = "", seconds: float = SECONDS) -> str:
        """Return what kubectl prints. Raises KubectlError with the reason that it gives."""
        scope = [f"--namespace={self.namespace}", f"--request-timeout={REQUEST_SECONDS}s"]
        done = _started([PROGRAM, *scope, *words], input_text, seconds)
        if done.returncode:
            reason = reason_in(done.stderr)
            raise KubectlError(
                f"kubectl {words[0]}: {reason}", "`kubectl cluster-info` shows the cluster", reason
            )
        return done.stdout

    def get(self, *words: str) -> dict[str, Any]:
        """Return objects as the cluster has them."""
        return answer(self.run("get", *words, "--output=json"), "get")

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return an object, or None where the cluster has none of that name."""
        text = self.run("get", kind, name, "--output=json", "--ignore-not-found")
        return answer(text, "get") if text.strip() else None

    def create(self, item: dict[str, Any], verb: str = "create") -> None:
        """Create, or replace, an object. A pipe carries its content, never the command line."""
        self.run(verb, "--filename=-", input_text=json.dumps(item))


def build(folder: str) -> str:
    """Return a kustomization as it would be applied. Raises KubectlError."""
    done = _started([PROGRAM, "kustomize", folder], "", SECONDS)
    if done.returncode:
        reason = reason_in(done.stderr)
        raise KubectlError(
            f"{folder}: {reason}", f"fix it; `kubectl kustomize {folder}` says it again", reason
        )
    return done.stdout


def answer(text: str, verb: str) -> dict[str, Any]:
    """Return a JSON object that kubectl printed. Raises KubectlError for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise KubectlError(
            f'kubectl {verb}: not JSON "{printable(text[:40])}"',
            "`kubectl version` shows what it is",
        )
    return value


def reason_in(stderr: str) -> str:
    """Return the one line of kubectl's output that says why."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Warning:")]
    reasons = [line for line in lines if REASON.match(line)] or lines[-1:]
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    first = (
        re.sub(r"^error: ", "", reasons[0], flags=re.IGNORECASE) if reasons else "no reason given"
    )
    return printable(first) + more


def _started(
    command: Sequence[str], input_text: str, seconds: float
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            input=input_text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
        )
    except FileNotFoundError as error:
        raise KubectlError(
            "kubectl: not found",
            "install it: https://kubernetes.io/docs/tasks/tools, 1.27 or newer",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise KubectlError(
            f"kubectl: no answer in {seconds:.0f} s", "`kubectl cluster-info` shows the cluster"
        ) from error
    except OSError as error:
        raise KubectlError(
            f"kubectl: cannot be started: {error.strerror}", "`ls -l $(which kubectl)`"
        ) from error
