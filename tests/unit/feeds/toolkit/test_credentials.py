"""Secrets come from files or the environment."""

from __future__ import annotations

import ssl
from codecs import BOM_UTF8
from typing import TYPE_CHECKING

import pytest

from feeds.errors import FeedError, MissingSecret
from feeds.toolkit.credentials import load_ca, read_secret
from oddsengine.gateway.access.authentication import Authenticator
from oddsengine.gateway.access.grants import SessionLimits
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.runtime.settings.telemetry import MetricsSettings
from tests.support.credentials import Certificates, a_token

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {"KEY": "from the environment"}


def test_the_first_line_of_the_file_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from the file \nrest")
    assert "from the file" == read_secret("a key", "KEY", str(file), ENVIRONMENT)


async def test_the_marks_that_editors_leave_are_no_part_of_a_secret(tmp_path: Path) -> None:
    """A byte order mark at the beginning, and a line's end of Windows, in the secrets of feeds, of settings, and of tokens."""
    secret = "a secret that is long enough for HS256"
    file = tmp_path / "key"
    file.write_bytes(BOM_UTF8 + secret.encode() + b"\r\n")
    assert secret == read_secret("a key", "KEY", str(file), {})
    assert secret == MetricsSettings(token_file=str(file)).read_token()
    keys = (KeySettings(algorithm="HS256", file=str(file)),)
    assert await Authenticator(AuthSettings(keys=keys), SessionLimits()).authenticate(a_token(secret))


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_without_a_usable_file_the_environment_is_read(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    assert "from the environment" == read_secret("a key", "KEY", str(file), ENVIRONMENT)
    assert "from the environment" == read_secret("a key", "KEY", "", ENVIRONMENT)


def test_a_missing_secret_is_an_error_that_names_both_places(tmp_path: Path) -> None:
    with pytest.raises(MissingSecret, match="the environment variable KEY is not set; the feed needs a key there"):
        read_secret("a key", "KEY", "", {})
    with pytest.raises(FeedError, match="KEY is not text"):
        read_secret("a key", "KEY", "", {"KEY": "\udcff"})
    with pytest.raises(MissingSecret, match=r"and the file .*none can't be read"):
        read_secret("a key", "KEY", str(tmp_path / "none"), {})


def test_a_ca_file_replaces_the_trusted_certificates(tmp_path: Path) -> None:
    assert load_ca("") is None
    context = load_ca(str(Certificates(tmp_path).trusted))
    assert context is not None
    assert 1 == len(context.get_ca_certs())
    assert ssl.CERT_REQUIRED is context.verify_mode
    with pytest.raises(FeedError, match=r"none.pem can't be loaded"):
        load_ca(str(tmp_path / "none.pem"))
