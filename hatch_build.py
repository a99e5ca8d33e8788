"""Build the loops in C along with the package, where there is a compiler.

`oddsengine.common.speedups` does without them, so nothing that goes wrong here fails an install. It says why it was left out.
`python hatch_build.py` builds in place.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # in place
    if not TYPE_CHECKING:
        BuildHookInterface = object

_FOLDER = "oddsengine/common/speedups"
#: The modules, and their sources.
_MODULES = {
    "_speedups": ["native/*.c"],
    "_solvers": ["solving/*.c"],
    "_books": ["books/*.c", "native/objects.c"],
    "_pricing": ["pricing/*.c", "native/objects.c", "solving/numbers.c"],
}
# Products and sums are rounded one by one, as Python does.
_FLAGS = ["-O2", "-ffp-contract=off", "-fPIC", "-fvisibility=hidden", "-shared", "-Wall", "-Wextra"]


def build(root: Path) -> list[Path]:
    """Compile each module. Return the paths of those for which that could be done."""
    return [path for name in _MODULES if (path := _compile(root / _FOLDER, name)) is not None]


def _compile(folder: Path, name: str) -> Path | None:
    """Compile a module. Return its path; None, and print why, where that can't be done."""
    sources = sorted(str(path) for pattern in _MODULES[name] for path in folder.glob(pattern))
    target = folder / (name + str(sysconfig.get_config_var("EXT_SUFFIX") or ".so"))
    paths = sysconfig.get_paths()
    headers = [f"-I{path}" for path in dict.fromkeys((paths["include"], paths["platinclude"]))]
    built = target.with_suffix(f".{os.getpid()}")
    try:
        # Replaced in one step: a process that has loaded the old one keeps it.
        command = [*_compiler(), *_FLAGS, *headers, "-o", str(built), *sources, "-lm"]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)  # noqa: S603 - the compiler of this Python
        built.replace(target)
    except (OSError, subprocess.SubprocessError) as problem:
        built.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
        details = (getattr(problem, "stderr", None) or str(problem)).strip().splitlines() or [repr(problem)]
        sys.stderr.write(f"oddsengine: the loops in C are left out, Python does their work: {details[0]}\n")
        return None
    return target


def _compiler() -> list[str]:
    return shlex.split(os.environ.get("CC") or "cc")


class SpeedupsHook(BuildHookInterface):
    """Adds the modules to a wheel, which is one for this Python and platform then."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the modules. `version` is `standard` or `editable`."""
        del version
        if os.environ.get("ODDSENGINE_SPEEDUPS") == "0":
            return
        root = Path(self.root)
        built = build(root)
        if built:
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            build_data["artifacts"] += [f"/{path.relative_to(root).as_posix()}" for path in built]


if __name__ == "__main__":
    sys.exit(0 if len(build(Path(__file__).resolve().parent)) == len(_MODULES) else 1)
