"""Commands from Python: suspend, price, limit, confirm and lift through a gateway's HTTP API."""

from __future__ import annotations

import difflib
import secrets
from typing import Any, Final
from urllib.parse import quote

from oddsengine.client.requests import GatewayClient

#: What a scope may name, with an example.
_EXAMPLES: Final = {
    "sport": "football",
    "competition": "betfair.10932509",
    "event": "betfair.29283412",
    "market": "betfair.29283412/match_odds",
    "selection": "betfair.29283412/match_odds/home",
}


class CommandClient(GatewayClient):
    """Makes commands through one gateway. Use it as a context manager.

    A scope is `all`, or `<kind>:<key>` with the kinds `sport competition event market selection`; further keys of the protocol's
    scope (`types`, `in_play`, `profiles`) are given as `narrowed`.

    Args:
        url: the gateway, as `http://host:port` or `host:port`, or the URL of its stream.
        token: returns the token, at once or as an awaitable; None where none is required.
        ssl: the TLS context, as for a private authority; None for the system's certificates.

    Raises:
        ValueError: if the URL is not one of a gateway.
    """

    _path = "commands"

    @property
    def url(self) -> str:
        """The URL at which commands are made."""
        return self._requests.url

    async def make(
        self,
        action: str,
        scope: str,
        *,
        values: Any = None,
        reason: str = "",
        expires: str | float | None = None,
        force: bool = False,
        **narrowed: Any,
    ) -> dict[str, Any]:
        """Make a command and return it; a lost connection is tried again without a second effect.

        Args:
            action: as in docs/commands.md.
            scope: `all` or `<kind>:<key>`.
            values: what the action sets.
            reason: why, for other people.
            expires: `kick_off`, a time as RFC 3339, seconds, or None.
            force: for a price, whether it may break the rules of its profile.
            narrowed: further keys of the scope.

        Raises:
            RequestRefused: if the gateway refuses it.
            aiohttp.ClientError, TimeoutError: if it does not answer.
            ValueError: if the scope is none, or what the function for tokens returned can't be a token.
        """
        body: dict[str, Any] = {"action": action, "scope": {**scope_of(scope), **narrowed}, "reason": reason, "expires": expires}
        if values is not None:
            body["values"] = values
        if force:
            body["force"] = True
        return await self._requests.ask("POST", "", body, {"Idempotency-Key": secrets.token_hex(16)})

    async def suspend(self, scope: str, **options: Any) -> dict[str, Any]:
        """Suspend a scope; the options are those of `make`."""
        return await self.make("suspend", scope, **options)

    async def lift(self, key: str) -> dict[str, Any]:
        """Lift a command. Lifting it again changes nothing. Raises as `make` does."""
        return await self._requests.ask("DELETE", f"/{quote(key, safe='')}")

    async def confirm(self, key: str) -> dict[str, Any]:
        """Confirm the proposal of somebody else. Raises as `make` does."""
        return await self._requests.ask("POST", f"/{quote(key, safe='')}/confirm")

    async def commands(self, *, active: bool | None = None) -> list[dict[str, Any]]:
        """Return the commands, newest first; with `active` those that hold, or only the others. Raises as `make` does."""
        query = "?limit=1000" if active is None else f"?limit=1000&active={str(active).lower()}"
        page = await self._requests.ask("GET", query)
        found = list(page["commands"])
        while "next" in page:
            page = await self._requests.ask("GET", f"{query}&after={quote(page['next'], safe='')}")
            found += page["commands"]
        return found


def scope_of(text: str) -> dict[str, Any]:
    """Return a scope that is written as `all` or `<kind>:<key>`.

    Raises:
        ValueError: if it is neither, with what may be meant.
    """
    if text == "all":
        return {"all": True}
    kind, _, key = text.partition(":")
    if kind in _EXAMPLES and key:
        return {kind: key}
    kinds = ", ".join(f"{name}:.." for name in _EXAMPLES)
    raise ValueError(f"{text!r} is not a scope: write all, or one of {kinds}; {_suggested_scope(kind, key)}")


def _suggested_scope(kind: str, key: str) -> str:
    """Return what a text may mean that is not a scope."""
    close = kind if kind in _EXAMPLES else next(iter(difflib.get_close_matches(kind, ["all", *_EXAMPLES], n=1)), "")
    if key:
        return f"did you mean '{close or 'event'}:{key}'?"
    if close == "all":
        return "did you mean 'all'?"
    if close:
        return f"as in {close}:{_EXAMPLES[close]}"
    # Without its kind: ids of markets have slashes, ids of events begin with their feed and a point.
    return f"did you mean '{'market' if '/' in kind else 'event' if '.' in kind else 'sport'}:{kind}'?"
