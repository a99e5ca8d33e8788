"""Who is let in: where a request comes from, how often, from which page, and with what token."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from oddsengine.gateway.access.authentication import Unauthorised
from oddsengine.gateway.access.rate_limits import Addresses, Rates
from oddsengine.gateway.access.session_limiter import SessionLimiter
from oddsengine.gateway.protocol.codes import ErrorCode, error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp import web

    from oddsengine.gateway.access.authentication import Authenticator
    from oddsengine.gateway.access.grants import Access, Role
    from oddsengine.gateway.access.settings import LimitSettings

_BEARER: Final = "Bearer "


class Refused(Exception):
    """A request that is not let in, with the answer that says why."""

    def __init__(self, response: web.Response) -> None:
        self.response = response
        super().__init__(response.status)


class Admission:
    """Decides on each request before anything is done for it.

    Args:
        authenticator: checks tokens.
        limits: what one address may use.
        allowed_origins: the pages that may connect, as `https://shop.example`; empty for any.
        trusted_proxies: networks whose `X-Forwarded-For` is believed.
        clock: monotonic seconds.
        seats: counts the sessions of each address and of each bearer of tokens; None counts those here alone.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        limits: LimitSettings,
        allowed_origins: Sequence[str],
        trusted_proxies: Sequence[str],
        clock: Callable[[], float],
        seats: SessionLimiter | None = None,
    ) -> None:
        self.authenticator = authenticator
        self.limits = limits
        self.handshakes = Rates(limits.handshakes_per_s, clock)
        self.requests = Rates(limits.requests_per_s, clock)
        self._origins = frozenset(allowed_origins)
        self._addresses = Addresses(trusted_proxies)
        self._seats = seats or SessionLimiter()
        self.refused_origins = 0
        self.refused_sessions = 0

    async def access(self, request: web.Request) -> Access | None:
        """Tell what the bearer of a request's token may do; without one, what anybody may, None if nothing.

        Raises:
            Refused: if the token is not good.
        """
        header = request.headers.get("Authorization", "")
        if not header:
            return self.authenticator.anonymous
        if not header.startswith(_BEARER):
            raise Refused(error(401, ErrorCode.UNAUTHORISED, "Authorization is not a Bearer token", _challenge()))
        try:
            return await self.authenticator.access(header.removeprefix(_BEARER).strip())
        except Unauthorised as problem:
            raise Refused(error(401, ErrorCode.UNAUTHORISED, str(problem), _challenge())) from None

    async def granted(self, request: web.Request, role: Role) -> Access:
        """Let an HTTP request in, or raise `Refused`.

        Args:
            request: the request.
            role: what it needs at least.
        """
        self._hurry(self.requests, request)
        access = await self.access(request)
        if access is None:
            raise Refused(error(401, ErrorCode.UNAUTHORISED, "a token is needed", _challenge()))
        if access.role < role:
            raise Refused(error(403, ErrorCode.FORBIDDEN, f"needs the role {role.name}, not {access.role.name}"))
        return access

    async def admit(self, request: web.Request, session_id: str) -> str:
        """Let a request for a session in and give its address, or raise `Refused`; `leave` when the session ends."""
        origin = request.headers.get("Origin")
        if self._origins and origin is not None and origin not in self._origins:
            self.refused_origins += 1
            raise Refused(error(403, ErrorCode.FORBIDDEN, f"origin {origin} is not allowed"))
        self._hurry(self.handshakes, request)
        address = self._client(request)
        most = self.limits.sessions_per_address
        if most and not await self._seats.take(f"address:{address}", session_id, most):
            self.refused_sessions += 1
            text = f"at most {most} sessions from one address"
            raise Refused(error(429, ErrorCode.OVER_LIMIT, text, {"Retry-After": "5"}))
        return address

    def leave(self, address: str, session_id: str) -> None:
        """Count a session of an address out."""
        self._seats.leave(f"address:{address}", session_id)

    async def fits(self, access: Access, session_id: str) -> bool:
        """Count a session for the bearer of a token, unless that has as many as it may; `release` when it ends."""
        most = access.limits.sessions
        return not most or await self._seats.take(f"token:{access.subject}", session_id, most)

    def release(self, access: Access, session_id: str) -> None:
        """Count a session of a token's bearer out, if it was counted."""
        self._seats.leave(f"token:{access.subject}", session_id)

    def _hurry(self, rates: Rates, request: web.Request) -> None:
        wait_s = rates.wait_s(self._client(request))
        if wait_s:
            retry = {"Retry-After": str(ceil(wait_s))}
            raise Refused(error(429, ErrorCode.OVER_LIMIT, f"too many requests; try again in {wait_s:.1f} s", retry))

    def _client(self, request: web.Request) -> str:
        return self._addresses.client(request.remote or "", request.headers.getall("X-Forwarded-For", ()))


def _challenge() -> dict[str, str]:
    return {"WWW-Authenticate": "Bearer"}
