"""Secrets in settings: a key that may hold one is there as `<key>_env` and `<key>_file` too, or only so; one of them is set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from oddsengine.common.redaction import SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import msgspec

ENV: Final = "_env"
FILE: Final = "_file"
#: What is wrong with a variable or a file that `is_text` refuses.
NO_TEXT: Final = "is not text (UTF-8)"


def is_text(value: str) -> bool:
    """Check that the bytes of an environment variable were UTF-8: Python keeps others as surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def secret_keys(fields: Iterable[str]) -> list[str]:
    """Return the secrets of some keys: what is there as `<key>_env` and `<key>_file`."""
    names = list(fields)
    return [base for name in names if name.endswith(ENV) and (base := name.removesuffix(ENV)) + FILE in names]


def check_secrets(settings: msgspec.Struct, *, required: Iterable[str] = ()) -> None:
    """Check that each secret is given in one way at most.

    Args:
        settings: the settings.
        required: those that must be given.

    Raises:
        ValueError: naming the key.
    """
    for key in secret_keys(settings.__struct_fields__):
        names = [name for name in (key, key + ENV, key + FILE) if name in settings.__struct_fields__]
        given = [name for name in names if getattr(settings, name)]
        if len(given) > 1:
            raise ValueError(f"{given[1]}: set {'exactly' if key in required else 'only'} one of {_listed(names)}")
        if not given and key in required:
            raise ValueError(f"set exactly one of {_listed(names)}")


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def read_secret_key(
    settings: msgspec.Struct, key: str, environment: Mapping[str, str] = os.environ, *, masked: bool = True
) -> str:
    """Return a secret of settings, empty if none of its keys is set.

    White space at the end of a file does not belong to it, nor does the mark that editors of Windows begin a file with.

    Args:
        settings: the settings.
        key: the key without `_env` and `_file`.
        environment: the environment variables.
        masked: whether logs are to show `***` for it; user names may be ordinary words.

    Raises:
        ValueError: if the variable or the file is missing or empty. The message names it, and has nothing of a secret.
    """
    fields: Any = settings
    value: str = getattr(fields, key, "")
    variable: str = getattr(fields, key + ENV)
    file: str = getattr(fields, key + FILE)
    if variable:
        value = environment.get(variable, "")
        if not value:
            raise ValueError(f"{key}{ENV}: the environment variable {variable} is not set")
        if not is_text(value):
            raise ValueError(f"{key}{ENV}: the environment variable {variable} {NO_TEXT}")
    elif file:
        try:
            value = Path(file).read_text(encoding="utf-8-sig").rstrip()
        except OSError as error:
            raise ValueError(f"{key}{FILE}: {file}: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise ValueError(f"{key}{FILE}: {file}: {NO_TEXT}") from None
        if not value:
            raise ValueError(f"{key}{FILE}: {file}: is empty")
    if masked and value:
        SECRETS.add(value)
    return value
