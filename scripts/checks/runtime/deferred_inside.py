"""Print what modules import at their top, and whether their own code uses it while it is imported.

Run inside an image, by its Python: bytecode is for the version that wrote it. The arguments are a
marker for the line of JSON, and the modules: `[[module, imported, its package, is used], …]`.
"""

import dis
import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec, resolve_name
from types import CodeType

# CPython, Include/cpython/code.h: the code of a function, not of a module or a class
CO_OPTIMIZED = 1
LOADS = {"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"}


def loaded(code: CodeType) -> set[str]:
    """Return the names that are loaded while a module is imported: by it and its class bodies."""
    names = {
        instruction.argval
        for instruction in dis.get_instructions(code)
        if instruction.opname in LOADS
    }
    for inner in code.co_consts:
        # a "<genexpr>" at the top runs at once
        runs = isinstance(inner, CodeType) and (
            not inner.co_flags & CO_OPTIMIZED or inner.co_name.startswith("<")
        )
        names |= loaded(inner) if runs else set()
    return names


def imported(code: CodeType, package: str) -> Iterator[tuple[str, str, str]]:
    """Yield what each import at the top names, the module that it is of, and the name it binds."""
    steps = list(dis.get_instructions(code))
    target = member = ""
    for at, step in enumerate(steps):
        if step.opname == "IMPORT_NAME":
            level = steps[at - 2].argval
            target = resolve_name("." * level + step.argval, package) if level else step.argval
            member = ""
        elif step.opname == "IMPORT_FROM":
            member = step.argval
        elif step.opname == "STORE_NAME" and target:
            # `import a.b as c` is read as `from a.b import b as c`
            has_member = member and not target.endswith(f".{member}")
            yield f"{target}.{member}" if has_member else target, target, step.argval
            target = target if member else ""
        elif step.opname == "POP_TOP":
            target = ""


def main(marker: str, *modules: str) -> None:
    """Print the line."""
    rows = []
    for module in modules:
        spec = find_spec(module)
        code = getattr(spec and spec.loader, "get_code", lambda name: None)(module)
        if spec and code:
            used = loaded(code)
            for full_name, target, bound in imported(code, spec.parent or ""):
                rows.append([module, full_name, target, bound in used])
    print(f"\n{marker}{json.dumps(rows)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
