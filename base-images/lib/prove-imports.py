"""Import every top-level module of the installed distributions, in the image that will run them.

Modules named on the command line are imported first: those of the service.
Exits 1 with a line for each module that does not load.
"""

import importlib
import pkgutil
import sys
import sysconfig


def failure(name: str) -> str | None:
    """Return why `name` does not load, or None. Anything can be raised by an import."""
    try:
        importlib.import_module(name)
    except Exception as error:
        return f"{name}: {type(error).__name__}: {error}"
    return None


sys.path.insert(0, "")  # as `python -m` does: the service's own modules are in its folder
installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
names = [*sys.argv[1:], *sorted(module.name for module in pkgutil.iter_modules(sorted(installed)))]
failures = [line for name in names if (line := failure(name))]
print(*failures or [f"proved: {len(names)} modules load"], sep="\n", file=sys.stderr)
sys.exit(bool(failures))
