"""Secrets of this process, by value, so that no log line, error or recording contains one, wherever it is echoed."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MASK: Final = "***"
#: Shorter values are not masked: they may stand anywhere, and protect little.
_MIN_LENGTH: Final = 6
_URL_SAFE: Final = str.maketrans("+/", "-_")


class Redactor:
    """Replaces the values of secrets in texts, also where they are encoded for URLs, JSON or HTML, or as base64."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._text_pattern: re.Pattern[str] | None = None
        self._bytes_pattern: re.Pattern[bytes] | None = None

    def add(self, secret: str) -> None:
        """Mask a value from now on. Values of fewer than six characters are ignored."""
        if len(secret) < _MIN_LENGTH or secret in self._secrets:
            return
        self._secrets.add(secret)
        # The longest first: one secret may begin with another.
        pattern = "|".join(_pattern(known) for known in sorted(self._secrets, key=len, reverse=True))
        self._text_pattern = re.compile(pattern)
        self._bytes_pattern = re.compile(pattern.encode())

    def redact(self, text: str) -> str:
        """Return the text with `***` for every secret."""
        return text if self._text_pattern is None else self._text_pattern.sub(_MASK, text)

    def redact_bytes(self, data: bytes) -> bytes:
        """Return the bytes with `***` for every secret in UTF-8."""
        return data if self._bytes_pattern is None else self._bytes_pattern.sub(_MASK.encode(), data)


def _pattern(secret: str) -> str:
    """Return a pattern in which each character may be encoded by itself: what is encoded in a URL differs by program."""
    return "|".join(["".join(map(_character_pattern, secret)), *map(re.escape, _base64_forms(secret))])


def _base64_forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is within the base64 of a longer text: it may begin at any byte of three."""
    data = secret.encode()
    for before in range(3):
        # The characters at both ends also hold bits of what is beside the secret.
        start, end = -(-before * 4 // 3), (before + len(data)) * 4 // 3
        standard = base64.b64encode(bytes(before) + data).decode()[start:end]
        yield standard
        if (url_safe := standard.translate(_URL_SAFE)) != standard:
            yield url_safe


def _character_pattern(character: str) -> str:
    if character.isascii() and character.isalnum():
        return character
    percent = "".join(f"%(?i:{byte:02x})" for byte in character.encode())
    # Backslashes are doubled each time that a text is quoted again.
    quoted = json.dumps(character)[1:-1].lstrip("\\") or "\\"
    forms = [
        percent,
        rf"\\+{re.escape(quoted)}",
        rf"&#0*{ord(character)};",
        rf"&#[xX]0*(?i:{ord(character):x});",
    ]
    if (entity := html.escape(character)) != character:
        forms.append(re.escape(entity))
    if not (character.isascii() and character.isprintable()):
        forms.append("".join(rf"\\+x{byte:02x}" for byte in character.encode()))
    if character == " ":
        forms.append(r"\+")
    # Last, since an encoded form may begin with the character itself, as `&amp;` does.
    forms.append(re.escape(character))
    return f"(?:{'|'.join(forms)})"


#: The secrets of this process. One for all, as the log is: a library that logs knows neither feed nor role.
SECRETS: Final = Redactor()
