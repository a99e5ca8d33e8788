"""The exceptions that decoders raise when their input can't be read, whatever it is."""

from __future__ import annotations

from typing import Final

import msgspec

#: Their own errors, and those of the depth of the input, of its text and of its numbers.
DECODING_ERRORS: Final = (msgspec.MsgspecError, RecursionError, UnicodeError, ArithmeticError)
