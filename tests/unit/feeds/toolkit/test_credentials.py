"""Secrets come from files or the environment."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from feeds.errors import FeedError, MissingSecret
from feeds.toolkit.credentials import load_ca, read_secret
from tests.support.credentials import Certificates

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {"KEY": "from the environment"}


def test_the_first_line_of_the_file_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from the file \nrest")
    assert "from the file" == read_secret("a key", "KEY", str(file), ENVIRONMENT)


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
