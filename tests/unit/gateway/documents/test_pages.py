"""The pages of documents with and without Swagger UI."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from oddsengine.gateway.documents.pages import http_page, streams_page
from oddsengine.gateway.documents.routes import ROUTES
from oddsengine.gateway.documents.swagger_files import swagger_routes, version

if TYPE_CHECKING:
    import pytest


def test_without_the_package_the_page_is_a_table_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp_swagger3", None)
    version.cache_clear()
    try:
        page = http_page()
        assert {} == swagger_routes()
    finally:
        version.cache_clear()
    assert "pip install &#x27;oddsengine[docs]&#x27;" in page
    assert all(f"{route.method.upper()} {route.path}" in page for route in ROUTES)
    assert "<script" not in page


def test_no_page_has_a_script_or_a_style_of_its_own() -> None:
    """The policy allows none, and nothing from another host."""
    for page in (http_page(), streams_page()):
        assert "<style" not in page
        assert "style=" not in page
        assert "http:" not in page.replace("http://localhost:8080", "")
        assert "https:" not in page
        assert all("src=" in script.partition(">")[0] for script in page.split("<script")[1:])
