"""Secrets are masked in every text, whichever way they are encoded."""

from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus, urlencode

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.common.redaction import Redactor

secrets = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_characters="*"), min_size=6, max_size=30)


@given(secrets, secrets, st.text(max_size=10))
def test_no_secret_is_left_in_a_text_however_it_is_encoded(first: str, second: str, around: str) -> None:
    redactor = Redactor()
    redactor.add(first)
    redactor.add(second)
    for secret in (first, second):
        forms = [secret, quote(secret), quote_plus(secret), urlencode({"apiKey": secret}), json.dumps({"key": secret})]
        for form in forms:
            assert secret not in redactor.redact(f"{around}{form}{around}")
            assert "***" in redactor.redact(form)
            assert b"***" in redactor.redact_bytes(form.encode())


def test_percent_encodings_in_lower_case_are_masked_too() -> None:
    redactor = Redactor()
    redactor.add("pass/word+1")
    assert "url?key=***&x" == redactor.redact("url?key=pass%2fword%2b1&x")


def test_a_short_value_is_not_masked_because_it_may_stand_anywhere() -> None:
    redactor = Redactor()
    redactor.add("home")
    assert "home 2.0" == redactor.redact("home 2.0")


def test_the_longer_of_two_secrets_with_the_same_beginning_is_masked_whole() -> None:
    redactor = Redactor()
    redactor.add("abcdef")
    redactor.add("abcdefghij")
    assert "*** ***" == redactor.redact("abcdefghij abcdef")


@given(secrets, st.text(max_size=4), st.text(max_size=4))
def test_a_secret_within_base64_html_and_texts_quoted_twice_is_masked(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.add(secret)
    text = f"{before}{secret}{after}".encode()
    numeric = "".join(c if c.isascii() and c.isalnum() else f"&#{ord(c)};" for c in secret)
    twice = json.dumps(json.dumps(secret))
    for encoded in (b64encode(text), urlsafe_b64encode(text)):
        assert "***" in redactor.redact(encoded.decode())
    quoted = {html.escape(secret), numeric, twice[3:-3], repr(secret.encode())[2:-1]}
    assert {"***"} == set(map(redactor.redact, quoted))
