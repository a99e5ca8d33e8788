"""The options of commands that are clients of a gateway: a token, and which certificates to trust."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import ssl

TokenOption = Annotated[str | None, typer.Option(envvar="ODDSENGINE_TOKEN", help="Access token, if one is required.")]
CaOption = Annotated[
    Path | None, typer.Option(envvar="ODDSENGINE_CA", help="Trust the certificates of this PEM file instead of the system's.")
]


def tls_context(ca: Path | None) -> ssl.SSLContext | None:
    """Return the context of a connection that trusts the certificates of a file; None for the system's.

    Raises:
        ValueError: if the file can't be loaded.
    """
    if ca is None:
        return None
    import ssl  # noqa: PLC0415 - commands without one start faster

    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"--ca {ca} can't be loaded: {error.strerror or error}") from None
