"""Which pages may connect."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.gateway.access.origins import AllowedOrigins
from oddsengine.runtime.settings import GatewaySettings

SHOP = "https://shop.example"


@pytest.mark.parametrize(
    "allowed",
    [SHOP, "https://shop.example/", "HTTPS://Shop.Example", "https://shop.example:443", " https://shop.example ", "*"],
)
def test_spellings_of_an_origin_are_the_same(allowed: str) -> None:
    assert AllowedOrigins([allowed]).allows(SHOP)


@pytest.mark.parametrize(
    "origin", ["http://shop.example", "https://shop.example:8443", "https://evil.example", "https://a.shop.example", "null", ""]
)
def test_other_origins_are_not_allowed(origin: str) -> None:
    assert not AllowedOrigins([SHOP]).allows(origin)


def test_a_wildcard_is_all_subdomains_of_a_host() -> None:
    allowed = AllowedOrigins(["https://*.shop.example"])
    for origin in ("https://a.shop.example", "https://a.b.shop.example"):
        assert allowed.allows(origin)
    for origin in (
        SHOP,
        "https://ashop.example",
        "http://a.shop.example",
        "https://a.shop.example:81",
        "https://shop.example.evil",
    ):
        assert not allowed.allows(origin)


def test_ports_addresses_apps_and_files_are_origins() -> None:
    allowed = AllowedOrigins(
        ["http://localhost:3000", "http://[::1]:8080", "capacitor://localhost", "null", "https://bücher.example"]
    )
    for origin in (
        "http://localhost:3000",
        "http://[::1]:8080",
        "capacitor://localhost",
        "null",
        "https://xn--bcher-kva.example",
    ):
        assert allowed.allows(origin)
    assert not allowed.allows("http://localhost")


def test_none_configured_allows_any() -> None:
    assert AllowedOrigins([]).allows("https://anything.example")


@pytest.mark.parametrize(
    "origin",
    [
        "shop.example",
        "https://shop.example/page",
        "https://",
        "https://*",
        "https://shop.*",
        "https://a*.shop.example",
        "https://shop.example:65536",
        "",
    ],
)
def test_what_is_no_origin_is_a_problem_of_the_config(origin: str) -> None:
    with pytest.raises(ValueError, match=r"https://"):
        GatewaySettings(allowed_origins=(origin,))


@given(st.text() | st.builds("https://{}".format, st.text()))
def test_no_header_fails_the_check(origin: Any) -> None:
    assert AllowedOrigins([SHOP]).allows(origin) in {True, False}
