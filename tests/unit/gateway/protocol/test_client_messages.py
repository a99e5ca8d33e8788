"""What a client is told of a message that can't be read."""

from __future__ import annotations

import msgspec
import pytest

from oddsengine.gateway.protocol.client_messages import BadMessage, decode_message


@pytest.mark.parametrize(
    "message", [{"op": "publish"}, {"op": "SUBSCRIBE", "channels": ["event:e1"]}, {"channels": []}, {"op": 5}]
)
@pytest.mark.parametrize("encode", [lambda message: msgspec.json.encode(message).decode(), msgspec.msgpack.encode])
def test_a_message_without_a_known_op_is_answered_with_those_that_there_are(encode: object, message: object) -> None:
    assert callable(encode)
    with pytest.raises(BadMessage, match="the values of `op` are subscribe, unsubscribe, auth, ping"):
        decode_message(encode(message))


def test_what_is_wrong_elsewhere_is_said_without_them() -> None:
    with pytest.raises(BadMessage) as refused:
        decode_message('{"op":"subscribe","channels":"event:e1"}')
    assert "Expected `array`, got `str` - at `$.channels`" == str(refused.value)
