"""The scripts that Redis runs, each with its keys, arguments and reply in its head."""

from __future__ import annotations

from importlib.resources import files


def load_script(name: str) -> str:
    """Return the source of a script."""
    return files(__name__).joinpath(f"{name}.lua").read_text(encoding="utf-8")
