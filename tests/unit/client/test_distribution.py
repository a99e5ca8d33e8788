"""The distribution of the client: what it contains, and what that needs."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[3]
PACKAGE: Final = ROOT / "packages" / "python"
#: What the client's dependencies, and theirs, are imported as. Nothing else that is installed is to be found.
ALLOWED: Final = (
    *("aiohttp", "aiohappyeyeballs", "aiosignal", "attr", "attrs", "frozenlist", "idna", "multidict", "propcache", "yarl"),
    *("typing_extensions", "msgspec", "orjson", "jwt", "cryptography", "_cffi_backend", "websockets"),
)
_PROGRAM: Final = """
import importlib, os, pkgutil, sys
import oddsengine.client as client
for module in pkgutil.walk_packages(client.__path__, "oddsengine.client."):
    importlib.import_module(module.name)
root = os.path.dirname(os.path.dirname(os.path.dirname(client.__file__)))
files = {os.path.relpath(module.__file__, root) for name, module in sys.modules.items() if name.startswith("oddsengine")}
print(*sorted(files), sep="\\n")
"""


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_client_needs_only_its_own_dependencies_and_is_distributed_whole(tmp_path: Path) -> None:
    installed = Path(sysconfig.get_paths()["purelib"])
    for name in ALLOWED:
        for found in (installed / name, *installed.glob(f"{name}.*")):
            if found.is_dir() or found.suffix in {".py", ".so"}:
                (tmp_path / found.name).symlink_to(found)
    # Without `site`, what is installed is not on the path.
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-S", "-c", _PROGRAM]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert 0 == ran.returncode, ran.stderr
    imported = set(ran.stdout.split())
    sources = [ROOT / source for source in project(PACKAGE)["tool"]["hatch"]["build"]["hooks"]["custom"]["sources"]]
    distributed = {
        str(file.relative_to(ROOT)) for source in sources for file in (source.rglob("*.py") if source.is_dir() else [source])
    }
    assert imported == distributed - {"oddsengine/py.typed"}


def test_it_is_of_the_same_release_and_asks_for_the_same_dependencies() -> None:
    client, server = project(PACKAGE)["project"], project(ROOT)["project"]
    assert server["version"] == client["version"]
    assert set(client["dependencies"]) <= set(server["dependencies"])
    assert server["requires-python"] == client["requires-python"]
