"""Ask an interpreter what loads: modules by import, libraries by the dynamic loader.

The interpreter may be another root's (`chroot /rootfs python3`), so the probe goes
to it as text, and its answers come back line by line. An interpreter that crashes
is started again behind the item that crashed it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

SECONDS = 300
OK = ""
# nothing may be written beside the modules, and nothing of the builder's leaks in
ENVIRONMENT = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
}

# stdout belongs to the answers: what a module prints goes to stderr
_PROBE = """
import json, os, sys
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
kind, items = json.loads(sys.stdin.readline())
def ask(item):
    if kind == "import":
        import importlib
        importlib.import_module(item)
    elif kind == "load":
        import ctypes
        ctypes.CDLL(item)
for item in items:
    print(json.dumps({"start": item}), file=out, flush=True)
    try:
        ask(item)
        said = ""
    except BaseException as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
    print(json.dumps({"end": item, "said": said}), file=out, flush=True)
out.flush()
os._exit(0)
"""


def imports(python: Sequence[str], modules: Sequence[str]) -> dict[str, str]:
    """Import all `modules` in order and return what each said: "" when it loaded."""
    return _ask(python, "import", modules)


def loads(python: Sequence[str], libraries: Sequence[str]) -> dict[str, str]:
    """Load all shared `libraries` and return what the loader said of each: "" for well."""
    return _ask(python, "load", libraries)


def _ask(python: Sequence[str], kind: str, items: Sequence[str]) -> dict[str, str]:
    answers: dict[str, str] = {}
    left = list(items)
    while left:
        said_of_crash, lines = _talk(python, json.dumps([kind, left]) + "\n")
        begun = ""
        for line in lines:
            said = json.loads(line)
            begun = said.get("start", begun)
            if "end" in said:
                answers[said["end"]] = said["said"]
        if not begun:  # it never came as far as the first item
            return dict.fromkeys(items, said_of_crash.replace("crashed", "exited"))
        if begun not in answers:
            answers[begun] = said_of_crash
        left = [item for item in left if item not in answers]
    return answers


def _talk(python: Sequence[str], question: str) -> tuple[str, list[str]]:
    """Return what is to be said of an item that was begun and not answered, and the answers."""
    try:
        done = subprocess.run(
            [*python, "-c", _PROBE], input=question, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, check=False, timeout=SECONDS, env=ENVIRONMENT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        heard = error.stdout or b""
        text = heard.decode(errors="replace") if isinstance(heard, bytes) else heard
        whole = text[: text.rfind("\n") + 1]
        return f"no answer in {SECONDS} s", whole.splitlines()
    return f"interpreter crashed with {done.returncode}", done.stdout.splitlines()
