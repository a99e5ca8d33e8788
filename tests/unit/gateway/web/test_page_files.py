"""The files of the page and of the console."""

from __future__ import annotations

import posixpath
import re
from importlib.resources import files
from pathlib import Path
from typing import Final

import oddsengine.gateway.web
from oddsengine.gateway.web import CONTENT_TYPES, PAGE_FILES, PAGES, page_file

_IMPORTED: Final = re.compile(r'^import .*?from "([^"]+)";$', re.MULTILINE | re.DOTALL)
_REFERENCED: Final = re.compile(r'(?:src|href)="([\w./]+\.(?:js|css|svg))"')


def test_every_file_that_a_page_needs_is_served() -> None:
    for name in PAGE_FILES:
        text = page_file(name).decode()
        # A page's references are relative to its path, those of a module to itself.
        base = posixpath.dirname(PAGES.get(name, f"/{name}"))
        pattern = _REFERENCED if name.endswith(".html") else _IMPORTED
        for found in pattern.findall(text):
            assert posixpath.normpath(posixpath.join(base, found)).lstrip("/") in PAGE_FILES, (name, found)


def test_every_file_of_the_console_is_served() -> None:
    folder = Path(str(files(oddsengine.gateway.web)))
    found = {str(file.relative_to(folder)) for file in (folder / "console").rglob("*") if file.is_file()}
    assert found == {name for name in PAGE_FILES if name.startswith("console/")}
    assert {name.rpartition(".")[2] for name in PAGE_FILES} == set(CONTENT_TYPES)


def test_pages_have_no_inline_script_or_style() -> None:
    """The content security policy allows none."""
    for name in PAGE_FILES:
        text = page_file(name).decode()
        assert "innerHTML" not in text
        if name.endswith(".html"):
            assert not re.search(r"<style|<script>|style=|\bon\w+=", text), name
