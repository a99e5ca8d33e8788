"""Whether the frames of a client are masked, as RFC 6455, section 5.1, requires: aiohttp's reader does not care."""

from __future__ import annotations

from typing import Final

_MASK_BIT: Final = 0x80
_LENGTH_16: Final = 126
#: The size of a masked frame's head by its length field (RFC 6455, section 5.2); shorter lengths are in the field itself.
_HEAD_BYTES: Final = {126: 8, 127: 14}
_SHORT_HEAD_BYTES: Final = 6
_LONGEST_HEAD_BYTES: Final = 14


class Masks:
    """Follows the frames of one connection, however their bytes arrive."""

    __slots__ = ("_head", "_left")

    def __init__(self) -> None:
        #: bytes of the current frame still to come
        self._left = 0
        #: the beginning of a frame's head whose rest has not arrived
        self._head = b""

    def are_set(self, data: bytes) -> bool:
        """Check the next bytes. Return False if a frame in them is not masked; call it no more then."""
        position, size = self._left, len(data)
        while position < size:
            before = len(self._head)
            head = self._head + data[position : position + _LONGEST_HEAD_BYTES - before]
            if len(head) > 1 and not head[1] & _MASK_BIT:
                return False
            field = head[1] & ~_MASK_BIT if len(head) > 1 else 0
            head_size = _HEAD_BYTES.get(field, _SHORT_HEAD_BYTES)
            if len(head) < head_size:
                self._head, self._left = head, 0
                return True
            length = field if field < _LENGTH_16 else int.from_bytes(head[2 : head_size - 4], "big")
            position += head_size - before + length
            self._head = b""
        self._left = position - size
        return True
