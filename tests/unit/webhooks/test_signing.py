"""Signatures are those of Standard Webhooks; malformed secrets are refused without being shown."""

from __future__ import annotations

import pytest

from oddsengine.webhooks.signing import parse_secrets, sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_a_signature_is_that_of_the_specifications_example() -> None:
    keys = parse_secrets(SECRET)
    body = b'{"test": 2432232314}'
    signature = sign(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" == signature


def test_while_a_secret_is_replaced_both_sign() -> None:
    other = "whsec_" + "QUJD" * 8
    first, second = (sign(parse_secrets(each), "m", 1, b"") for each in (SECRET, other))
    assert f"{first} {second}" == sign(parse_secrets(f"{SECRET}\n{other}\n"), "m", 1, b"")


@pytest.mark.parametrize("text", ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_a$b", "whsec_c2hvcnQ=", "whsec_" + "QUJD" * 22])
def test_a_malformed_secret_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"empty|whsec_|base64|bytes") as refused:
        parse_secrets(text)
    assert len(text) < 7 or text[7:] not in str(refused.value)
